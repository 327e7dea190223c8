import { joinChildren, quote } from './canonical.ts'
import { compareKeys } from './key-order.ts'
import { isPlainKey, keyFault } from './key.ts'
import { countedStringLength, maxDepth, maxStringBytes } from './limits.ts'
import { isPlainObject } from './plain-object.ts'
import { exceedsUtf8Length } from './utf8.ts'

/**
 * The canonical plain text of a JSON value with all its nulls and empty containers removed, made
 * without building nodes; `'null'` when nothing remains. `undefined` when the value is not plain
 * and clean: it holds a reserved name, a fault, a number whose source text has to be seen, or
 * something that `JSON.parse` never makes.
 *
 * @param depth Number of keys above the value.
 */
export function canonicalOfJson(value: unknown, depth: number): string | undefined {
  // Twice as fast as putting the text together here, and most of what programs send is in order.
  if (isCanonicalJson(value, depth)) return JSON.stringify(value)
  const text = textOf(value, depth)
  return text === '' ? 'null' : text
}

/** Whether what `JSON.stringify` makes of a value is its canonical text, with nothing to remove. */
function isCanonicalJson(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.length <= countedStringLength && value.isWellFormed()
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object') return typeof value === 'boolean'
  if (value === null || depth >= maxDepth) return false
  return Array.isArray(value) ? isCanonicalArray(value, depth) : isCanonicalObject(value, depth)
}

function isCanonicalArray(items: readonly unknown[], depth: number): boolean {
  if (hasToJson(items)) return false
  for (let index = 0; index < items.length; index++) {
    if (!isCanonicalJson(items[index], depth + 1)) return false
  }
  return items.length > 0
}

function isCanonicalObject(value: object, depth: number): boolean {
  if (!isPlainObject(value) || hasToJson(value)) return false
  // Integer keys begin below this; without them key order is that of the strings.
  let previous = ':'
  for (const key of Object.keys(value)) {
    if (key < previous || !isPlainKey(key) || !isCanonicalJson(value[key], depth + 1)) {
      return false
    }
    previous = key
  }
  return previous !== ':'
}

/** The canonical text, or `''` for what is to be removed. */
function textOf(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? quote(value) : undefined
  // Beyond 2^53 only the source tells whether a literal was rounded. NaN fails the test as well.
  if (typeof value === 'number') {
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? `${value + 0}` : undefined
  }
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (value === null) return ''
  if (typeof value !== 'object') return undefined
  return Array.isArray(value) ? arrayText(value, depth) : objectText(value, depth)
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !exceedsUtf8Length(text, maxStringBytes)
}

function objectText(value: object, depth: number): string | undefined {
  if (!isPlainObject(value) || hasToJson(value)) return undefined
  const keys = Object.keys(value)
  if (keys.length > 0 && depth >= maxDepth) return undefined
  sortKeys(keys)
  // Integer keys come first, so only then can the children make an array.
  const first = keys[0]?.charCodeAt(0)
  if (first !== undefined && first < 0x3a) return integerObjectText(value, keys, depth)
  let text = ''
  for (const key of keys) {
    const name = nameText(key)
    if (name === undefined) return undefined
    const child = textOf(value[key], depth + 1)
    if (child === undefined) return undefined
    if (child !== '') text += (text === '' ? '{' : ',') + name + ':' + child
  }
  return text === '' ? '' : text + '}'
}

function integerObjectText(
  members: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  depth: number,
): string | undefined {
  const texts = new Map<string, string>()
  for (const key of keys) {
    if (nameText(key) === undefined) return undefined
    const child = textOf(members[key], depth + 1)
    if (child === undefined) return undefined
    if (child !== '') texts.set(key, child)
  }
  return texts.size === 0 ? '' : joinChildren(texts, itself)
}

function arrayText(items: readonly unknown[], depth: number): string | undefined {
  if ((items.length > 0 && depth >= maxDepth) || hasToJson(items)) return undefined
  const texts = new Map<string, string>()
  for (let index = 0; index < items.length; index++) {
    const child = textOf(items[index], depth + 1)
    if (child === undefined) return undefined
    if (child !== '') texts.set(String(index), child)
  }
  return texts.size === 0 ? '' : joinChildren(texts, itself)
}

/** Whether it is written as something else, wherever it has that from. */
function hasToJson(value: object): boolean {
  return typeof (value as { readonly toJSON?: unknown }).toJSON === 'function'
}

function itself(text: string): string {
  return text
}

function sortKeys(keys: string[]): void {
  for (let index = 1; index < keys.length; index++) {
    if (compareKeys(keys[index - 1] as string, keys[index] as string) > 0) {
      keys.sort(compareKeys)
      return
    }
  }
}

/** The key as a JSON string; `undefined` when it is not a valid key. */
function nameText(key: string): string | undefined {
  if (isPlainKey(key)) return `"${key}"`
  return keyFault(key) === undefined ? quote(key) : undefined
}
