import { Buffer } from 'node:buffer'
import type { Json } from './arbitraries.ts'

// A second reading of the data model that shares no code with the package: lists instead of maps,
// BigInt instead of numbers, every rule as the specification words it.

export type NaiveNode = {
  readonly priority: string | number | null
} & (
  | { readonly leaf: string | number | boolean }
  | { readonly children: readonly (readonly [string, NaiveNode])[] }
)

/** What a tree keeps of some JSON; `null` for nothing. */
export function naiveNode(json: Json): NaiveNode | null {
  if (json === null) return null
  if (typeof json !== 'object') return { leaf: Object.is(json, -0) ? 0 : json, priority: null }
  const members: readonly (readonly [string, Json])[] =
    'items' in json ? json.items.map((item, index) => [`${index}`, item]) : json.members
  const last = members.filter(([name], index) => {
    return !members.slice(index + 1).some(([later]) => later === name)
  })
  const priority = (last.find(([name]) => name === '.priority')?.[1] ?? null) as
    | string
    | number
    | null
  const value = last.find(([name]) => name === '.value')
  if (value !== undefined) {
    const node = naiveNode(value[1])
    return node && { ...node, priority }
  }
  const children: [string, NaiveNode][] = []
  for (const [name, member] of last) {
    const child = name === '.priority' ? null : naiveNode(member)
    if (child !== null) children.push([name, child])
  }
  children.sort(([a], [b]) => naiveCompare(a, b))
  return children.length === 0 ? null : { children, priority }
}

/** Key order as the specification words it. */
export function naiveCompare(a: string, b: string): number {
  const left = naiveInteger(a)
  const right = naiveInteger(b)
  if (left !== undefined && right !== undefined) {
    if (left !== right) return left < right ? -1 : 1
    return a.length - b.length || Buffer.compare(Buffer.from(a), Buffer.from(b))
  }
  if (left !== undefined) return -1
  return right === undefined ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : 1
}

export function naiveInteger(key: string): bigint | undefined {
  if (!/^-?[0-9]+$/.test(key)) return undefined
  const number = key.startsWith('-') ? -BigInt(key.slice(1)) : BigInt(key)
  return number >= -(2n ** 31n) && number < 2n ** 31n ? number : undefined
}

export function naiveText(node: NaiveNode | null, form: 'plain' | 'export'): string {
  if (node === null) return 'null'
  const rank =
    form === 'export' && node.priority !== null ? JSON.stringify(node.priority) : undefined
  if ('leaf' in node) {
    const leaf = JSON.stringify(node.leaf)
    return rank === undefined ? leaf : `{".value":${leaf},".priority":${rank}}`
  }
  const keys = node.children.map(([name]) => name)
  const isArray = keys.every((name) => /^(?:0|[1-9][0-9]*)$/.test(name))
  const largest = isArray
    ? (keys
        .map(BigInt)
        .toSorted((a, b) => (a < b ? -1 : 1))
        .at(-1) ?? 0n)
    : 0n
  if (form === 'plain' && isArray && largest < 2n * BigInt(keys.length)) {
    const items = Array.from({ length: Number(largest) + 1 }, (_, index) => {
      const child = node.children.find(([name]) => name === `${index}`)
      return child === undefined ? 'null' : naiveText(child[1], form)
    })
    return `[${items.join()}]`
  }
  const members = node.children.map(
    ([name, child]) => `${JSON.stringify(name)}:${naiveText(child, form)}`,
  )
  return `{${[...(rank === undefined ? [] : [`".priority":${rank}`]), ...members].join()}}`
}

/** The export form laid out in lines, as `print=pretty` is specified. */
export function naiveLines(node: NaiveNode, indent = ''): string {
  const inner = `${indent}  `
  const rank: string[] =
    node.priority === null ? [] : [`".priority" : ${JSON.stringify(node.priority)}`]
  if ('leaf' in node) {
    const leaf = JSON.stringify(node.leaf)
    return rank.length === 0 ? leaf : lines([`".value" : ${leaf}`, ...rank], indent)
  }
  const members = node.children.map(
    ([key, child]) => `${JSON.stringify(key)} : ${naiveLines(child, inner)}`,
  )
  return lines([...rank, ...members], indent)
}

function lines(members: readonly string[], indent: string): string {
  return `{\n${members.map((member) => `${indent}  ${member}`).join(',\n')}\n${indent}}`
}
