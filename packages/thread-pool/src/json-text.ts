// JSON text for what JSON can carry without loss, and, with tags, for the commonest of what it cannot. Each property is
// read once, while the text is written, so that a getter cannot show one value to a check and another to JSON.stringify().
//
// Tags are strings that start with `~`; strings that do so themselves get a second one:
//
//   "~u" undefined   "~n" NaN   "~i" Infinity   "~j" -Infinity   "~z" -0   "~b123" a BigInt
//   "~d1700" a Date in milliseconds, "~d" an invalid one    ["~M", key, value, …] a Map    ["~S", value, …] a Set
//
// V8's own serialization carries more, and takes 5 to 10 microseconds a value for it.
import { types } from 'node:util'

/** Values that are looked at before giving up: for larger ones a structured clone is as good. */
const maxValues = 4096
const maxDepth = 32

// oxlint-disable-next-line no-control-regex -- JSON escapes them
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

let budget = 0
let mayTag = false
let hasTag = false
// Every object met so far: one that comes twice (a cycle, or two references) is beyond JSON.
const met: object[] = []
let metSet: Set<object> | undefined

/** Text, and whether there are tags in it. */
export interface JsonText {
  text: string
  isTagged: boolean
}

/**
 * @returns text from which {@link parseTagged}, or JSON.parse() where nothing is tagged, makes what a structured clone
 *   of the value would be; undefined where that is not certain: functions, symbols, class instances, buffers, holes,
 *   shared references, proxies, objects of other realms, and whatever is too large or too deep to walk
 */
export function taggedJson(value: unknown): JsonText | undefined {
  mayTag = true
  const text = start(value)
  return text === undefined ? undefined : { text, isTagged: hasTag }
}

/** @returns text that means the value to everybody; undefined where there is none */
export function plainJson(value: unknown): string | undefined {
  mayTag = false
  return start(value)
}

function start(value: unknown): string | undefined {
  budget = maxValues
  hasTag = false
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
      if (value - value === 0 && (value !== 0 || 1 / value > 0)) return `${value}`
      return tag(Number.isNaN(value) ? 'n' : value === 0 ? 'z' : value > 0 ? 'i' : 'j')
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (depth === maxDepth || !isFirstMeeting(value) || types.isProxy(value)) return undefined
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1)
    case 'undefined':
      return tag('u')
    case 'bigint':
      return tag(`b${value}`)
    case 'function':
    case 'symbol':
      return undefined
    default:
      return undefined
  }
}

function tag(text: string): string | undefined {
  hasTag = true
  return mayTag ? `"~${text}"` : undefined
}

function writeArray(array: readonly unknown[], depth: number): string | undefined {
  if (Object.getPrototypeOf(array) !== Array.prototype) return undefined
  const length = array.length
  budget -= length
  // Holes make for fewer keys, properties beside the elements for more. Both at once would cancel out, so the
  // last key has to be the last index as well: keys that are no index come after all that are.
  if (budget < 0) return undefined
  const keys = Object.keys(array)
  if (keys.length !== length || (length > 0 && keys[length - 1] !== `${length - 1}`)) {
    return undefined
  }
  return writeElements(array, '[', depth)
}

function writeElements(
  values: Iterable<unknown>,
  opening: string,
  depth: number,
): string | undefined {
  let text = opening
  let isFirst = opening === '['
  for (const value of values) {
    const element = write(value, depth)
    if (element === undefined) return undefined
    text += isFirst ? element : `,${element}`
    isFirst = false
  }
  return `${text}]`
}

function writeObject(object: object, depth: number): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) {
    return mayTag ? writeBuiltIn(object, prototype, depth) : undefined
  }
  const keys = Object.keys(object)
  budget -= keys.length
  if (budget < 0) return undefined
  let text = ''
  for (const key of keys) {
    const property = write((object as Record<string, unknown>)[key], depth)
    if (property === undefined) return undefined
    text += text === '' ? `{${quoteKey(key)}:${property}` : `,${quoteKey(key)}:${property}`
  }
  return text === '' ? '{}' : `${text}}`
}

function writeBuiltIn(object: object, prototype: unknown, depth: number): string | undefined {
  if (prototype === Date.prototype && types.isDate(object)) {
    const ms = object.getTime()
    return tag(Number.isNaN(ms) ? 'd' : `d${ms}`)
  }
  if (prototype === Map.prototype && types.isMap(object)) {
    hasTag = true
    budget -= 2 * object.size
    return budget < 0 ? undefined : writeElements(entriesOf(object), '["~M"', depth)
  }
  if (prototype === Set.prototype && types.isSet(object)) {
    hasTag = true
    budget -= object.size
    return budget < 0 ? undefined : writeElements(object, '["~S"', depth)
  }
  return undefined
}

function* entriesOf(map: Map<unknown, unknown>): Generator {
  for (const [key, value] of map) {
    yield key
    yield value
  }
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
  if (mayTag && text.startsWith('~')) {
    hasTag = true
    return quoteKey(`~${text}`)
  }
  return quoteKey(text)
}

function quoteKey(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

/** The value of text that {@link taggedJson} has tagged. */
export function parseTagged(text: string): unknown {
  return revive(JSON.parse(text))
}

function revive(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith('~') ? untag(value) : value
  if (typeof value !== 'object' || value === null) return value
  return Array.isArray(value) ? reviveArray(value) : reviveObject(value as Record<string, unknown>)
}

function reviveArray(array: unknown[]): unknown {
  if (array[0] === '~M') {
    const map = new Map()
    for (let index = 1; index < array.length; index += 2) {
      map.set(revive(array[index]), revive(array[index + 1]))
    }
    return map
  }
  if (array[0] === '~S') return new Set(array.slice(1).map(revive))
  for (let index = 0; index < array.length; index++) array[index] = revive(array[index])
  return array
}

function reviveObject(object: Record<string, unknown>): unknown {
  for (const key of Object.keys(object)) {
    const before = object[key]
    const after = revive(before)
    if (after === before) continue
    if (key === '__proto__') {
      // An assignment would set the prototype.
      Object.defineProperty(object, key, {
        value: after,
        configurable: true,
        enumerable: true,
        writable: true,
      })
    } else {
      object[key] = after
    }
  }
  return object
}

function untag(text: string): unknown {
  switch (text.charAt(1)) {
    case '~':
      return text.slice(1)
    case 'u':
      return undefined
    case 'n':
      return NaN
    case 'i':
      return Infinity
    case 'j':
      return -Infinity
    case 'z':
      return -0
    case 'b':
      return BigInt(text.slice(2))
    case 'd':
      return new Date(text.length === 2 ? NaN : Number(text.slice(2)))
    default:
      throw new SyntaxError(`Cannot read the tag "${text}"`)
  }
}
