import { isArrayLike, toCanonical } from './canonical.ts'
import { nodeFromCanonical } from './canonical-node.ts'
import { parseNativeJson } from './native-json.ts'
import { Branch, RankedLeaf, ServerValue, hasPriority, hasServerValue } from './node.ts'
import type { TreeNode } from './node.ts'
import type { JsonForm } from './store.ts'

/**
 * A value with its canonical text, each made from the other when first asked for. Immutable.
 * Its own text is in `plain` form unless a priority occurs in it; then it is in `export` form.
 */
export class TreeValue {
  /** The value that stands for nothing. */
  static readonly null: TreeValue = new TreeValue('null', 'plain', null)

  // Invariant: a text comes with its form, and where there is no text there is a node.
  #text: string | undefined
  #form: JsonForm | undefined
  #node: TreeNode | null | undefined

  private constructor(
    text: string | undefined,
    form: JsonForm | undefined,
    node: TreeNode | null | undefined,
  ) {
    this.#text = text
    this.#form = form
    this.#node = node
  }

  static fromNode(node: TreeNode | null): TreeValue {
    return node === null ? TreeValue.null : new TreeValue(undefined, undefined, node)
  }

  /**
   * Takes text that is known to be canonical and in the form that {@link form} would say, such as
   * a stored row. Text from elsewhere goes through `parseJson`.
   */
  static fromCanonical(text: string, form: JsonForm): TreeValue {
    return text === 'null' ? TreeValue.null : new TreeValue(text, form, undefined)
  }

  get isNull(): boolean {
    return this === TreeValue.null
  }

  get node(): TreeNode | null {
    if (this.#node === undefined) this.#node = nodeFromCanonical(this.text)
    return this.#node
  }

  /** The form of {@link text}: `export` when and only when a priority or server value occurs. */
  get form(): JsonForm {
    this.#form ??= hasPriority(this.node) || hasServerValue(this.node) ? 'export' : 'plain'
    return this.#form
  }

  /** Whether the value is still to be computed in some place: true only for values to be written. */
  get hasServerValues(): boolean {
    return this.form === 'export' && hasServerValue(this.node)
  }

  /** Canonical text in the form that {@link form} says. */
  get text(): string {
    this.#text ??= toCanonical(this.node, this.form)
    return this.#text
  }

  /** Canonical text in the form asked for. */
  toText(form: JsonForm): string {
    const { text } = this
    // Without priorities only arrays tell the forms apart.
    if (form === this.form || (form === 'export' && !text.includes('['))) return text
    return toCanonical(this.node, form)
  }

  /** The value in plain form as a JavaScript value, as `JSON.parse` makes it. */
  toJSON(): unknown {
    const json = parseNativeJson(this.toText('plain'))
    return json === undefined ? jsonOf(this.node) : json.value
  }
}

/** What `JSON.parse` would make of the plain text. */
function jsonOf(node: TreeNode | null): unknown {
  if (node instanceof RankedLeaf) return jsonOf(node.value)
  if (node instanceof ServerValue) return JSON.parse(toCanonical(node, 'plain'))
  if (!(node instanceof Branch)) return node
  const members = [...node.children].map(([key, child]) => [key, jsonOf(child)] as const)
  if (!isArrayLike(node.children)) return Object.fromEntries(members)
  const items: unknown[] = []
  for (const [key, item] of members) {
    while (items.length < Number(key)) items.push(null)
    items.push(item)
  }
  return items
}
