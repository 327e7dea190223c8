// JSON text for what JSON can carry without loss, and nothing else. Each property is read once, while the text is
// written, so that a getter cannot show one value to a check and another to JSON.stringify().
import { types } from 'node:util'

/** Values that are looked at before giving up: what is larger is not worth proving. */
const maxValues = 4096
const maxDepth = 32

const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

let budget = 0
// Every object met so far: one that comes twice (a cycle, or two references) is beyond JSON.
const met: object[] = []
let metSet: Set<object> | undefined

/**
 * @returns the JSON text of a value that parses to what a structured clone of it would be; undefined where
 *   that is not certain: `undefined`, NaN, infinities, -0, BigInt, symbols, functions, dates, maps, class instances,
 *   holes, shared references, proxies, objects of other realms, and whatever is too large or too deep to walk
 */
export function plainJson(value: unknown): string | undefined {
  budget = maxValues
  try {
    return write(value, 0)
  } finally {
    met.length = 0
    metSet = undefined
  }
}

function write(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      // Not NaN or infinite, not -0.
      return value - value === 0 && (value !== 0 || 1 / value > 0) ? `${value}` : undefined
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (depth === maxDepth || !isFirstMeeting(value) || types.isProxy(value)) return undefined
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1)
    case 'bigint':
    case 'function':
    case 'symbol':
    case 'undefined':
      return undefined
    default:
      return undefined
  }
}

function writeArray(array: readonly unknown[], depth: number): string | undefined {
  if (Object.getPrototypeOf(array) !== Array.prototype) return undefined
  const length = array.length
  budget -= length
  // Holes make for fewer keys, properties beside the elements for more; with both, a hole is found below.
  if (budget < 0 || Object.keys(array).length !== length) return undefined
  let text = '['
  for (let index = 0; index < length; index++) {
    const element = write(array[index], depth)
    if (element === undefined) return undefined
    text += index === 0 ? element : `,${element}`
  }
  return `${text}]`
}

function writeObject(object: object, depth: number): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) return undefined
  const keys = Object.keys(object)
  budget -= keys.length
  if (budget < 0) return undefined
  let text = '{'
  for (const [index, key] of keys.entries()) {
    const property = write((object as Record<string, unknown>)[key], depth)
    if (property === undefined) return undefined
    text += index === 0 ? `${quote(key)}:${property}` : `,${quote(key)}:${property}`
  }
  return `${text}}`
}

function isFirstMeeting(object: object): boolean {
  if (metSet !== undefined) {
    const size = metSet.size
    return metSet.add(object).size !== size
  }
  if (met.includes(object)) return false
  met.push(object)
  if (met.length > 16) metSet = new Set(met)
  return true
}

function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}
