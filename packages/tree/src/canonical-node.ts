import { parseNativeJson } from './native-json.ts'
import { branchOf } from './node-edit.ts'
import { RankedLeaf, ServerValue } from './node.ts'
import type { Leaf, TreeNode } from './node.ts'
import { JsonTokenizer } from './tokenizer.ts'
import { TreeBuilder } from './tree-builder.ts'

type Json = Leaf | null | readonly Json[] | { readonly [key: string]: Json }

/** The node that canonical text in either form stands for. */
export function nodeFromCanonical(text: string): TreeNode | null {
  const json = parseNativeJson(text)
  // Nothing is checked: the text is our own.
  if (json !== undefined) return nodeFromJson(json.value as Json)
  // Of any depth: below the root of several databases each has all levels for itself.
  const builder = new TreeBuilder({ depth: -Infinity })
  const tokenizer = new JsonTokenizer(builder)
  tokenizer.write(text)
  tokenizer.end()
  return builder.value.node ?? null
}

function nodeFromJson(json: Json): TreeNode | null {
  if (json === null || typeof json !== 'object') return json
  return Array.isArray(json) ? nodeFromArray(json) : nodeFromObject(json as JsonObject)
}

function nodeFromArray(items: readonly Json[]): TreeNode | null {
  const children = new Map<string, TreeNode>()
  for (let index = 0; index < items.length; index++) {
    const child = nodeFromJson(items[index] as Json)
    if (child !== null) children.set(String(index), child)
  }
  return branchOf(children)
}

type JsonObject = { readonly [key: string]: Json }
type Priority = number | string | ServerValue

function nodeFromObject(json: JsonObject): TreeNode | null {
  const children = new Map<string, TreeNode>()
  let priority: Priority | null = null
  // `Object.keys` lists own members only, and reading one of them by name, even `__proto__`,
  // never reaches the prototype.
  for (const key of Object.keys(json)) {
    const child = nodeFromJson(json[key] as Json)
    if (key === '.sv') return serverValueFromJson(json[key] as Json)
    if (key === '.priority') priority = child as Priority
    else if (key === '.value') return leafFromJson(child as Leaf, json)
    else children.set(key, child as TreeNode)
  }
  return branchOf(children, priority)
}

function leafFromJson(value: Leaf | ServerValue, json: JsonObject): TreeNode {
  return new RankedLeaf(value, nodeFromJson(json['.priority'] as Json) as Priority)
}

function serverValueFromJson(json: Json): ServerValue {
  if (json === 'timestamp') return new ServerValue()
  return new ServerValue((json as { readonly increment: number }).increment)
}
