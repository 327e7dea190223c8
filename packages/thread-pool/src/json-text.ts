// JSON text for what JSON can carry without loss, and, with tags, for the commonest of what it cannot.
//
// Tags are strings that start with `~`; in text with tags, strings that do so themselves get a second one:
//
//   "~u" undefined   "~n" NaN   "~i" Infinity   "~j" -Infinity   "~z" -0   "~b123" a BigInt
//   "~d1700" a Date in milliseconds, "~d" an invalid one    ["~M", key, value, …] a Map    ["~S", value, …] a Set
//
// V8's own serialization carries more, and takes 5 to 10 microseconds a value for it. The value is walked first and
// written by JSON.stringify() then: writing while walking takes four times as long. So getters are called more than once.
import { types } from 'node:util'

/** Values that are looked at before giving up: for larger ones a structured clone is as good. */
const maxValues = 4096
const maxDepth = 32
/** Characters of all strings, likewise: to write, search and read text takes many times as long as to copy strings. */
const maxText = 8 * 1024
/** JSON.stringify() makes no longer text anyway. */
const anyText = 2 ** 31 - 1

let isLooking = false
let budget = 0
let textBudget = 0
let hasTag = false
// Every object met so far: one that comes twice (a cycle, or two references) is beyond JSON. The first few in an array
// that is used again, all of them in a set where there are more.
const met: (object | undefined)[] = Array.from({ length: 16 })
let metCount = 0
let metSet: Set<object> | undefined

/** Text, and whether there are tags in it. */
export interface JsonText {
  text: string
  isTagged: boolean
}

/**
 * @returns text from which {@link parseTagged}, or JSON.parse() where nothing is tagged, makes what a structured clone
 *   of the value would be; undefined where that is not certain: functions, symbols, class instances, buffers, holes,
 *   shared references, proxies, objects of other realms, and whatever is too large or too deep to walk, or
 *   has too much text
 */
export function taggedJson(value: unknown): JsonText | undefined {
  if (!look(value, maxText)) return undefined
  if (!hasTag) return { text: JSON.stringify(value), isTagged: false }
  if (hasToJson()) return undefined
  return { text: JSON.stringify(tagged(value)), isTagged: true }
}

/** @returns text that means the value to everybody; undefined where there is none */
export function plainJson(value: unknown): string | undefined {
  return look(value, anyText) && !hasTag ? JSON.stringify(value) : undefined
}

/** Looks whether the value is of known parts only, and sets `hasTag` if some of them need tags. */
function look(value: unknown, textLimit: number): boolean {
  // A getter may send a value itself while one is looked through: that one goes as a clone.
  if (isLooking) return false
  isLooking = true
  budget = maxValues
  textBudget = textLimit
  hasTag = false
  try {
    return isKnown(value, 0)
  } finally {
    isLooking = false
    while (metCount > 0) met[--metCount] = undefined
    metSet = undefined
  }
}

// Somebody may have taught all objects how they want to be written: those that the walk sees say so, but not what is made of them.
function hasToJson(): boolean {
  return 'toJSON' in Object.prototype || 'toJSON' in Array.prototype
}

function isKnown(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      textBudget -= value.length
      return textBudget >= 0
    case 'boolean':
      return true
    case 'number':
      // NaN and infinities, -0.
      if (value - value !== 0 || (value === 0 && 1 / value < 0)) hasTag = true
      return true
    case 'undefined':
    case 'bigint':
      hasTag = true
      return true
    case 'object':
      if (value === null) return true
      if (depth === maxDepth || !isFirstMeeting(value) || types.isProxy(value)) return false
      return Array.isArray(value) ? isKnownArray(value, depth + 1) : isKnownObject(value, depth + 1)
    case 'function':
    case 'symbol':
      return false
    default:
      return false
  }
}

function isKnownArray(array: readonly unknown[], depth: number): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false
  if (writesItself(array)) return false
  const length = array.length
  budget -= length
  if (budget < 0) return false
  // Holes make for fewer keys, properties beside the elements for more. Both at once would cancel out, so the
  // last key has to be the last index as well: keys that are no index come after all that are.
  const keys = Object.keys(array)
  if (keys.length !== length || (length > 0 && keys[length - 1] !== `${length - 1}`)) return false
  for (const element of array) if (!isKnown(element, depth)) return false
  return true
}

function isKnownObject(object: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) {
    return isKnownBuiltIn(object, prototype, depth)
  }
  if (writesItself(object)) return false
  // V8 knows where the properties lie that such a loop reads, which makes it several times as fast as one over
  // Object.keys(). It meets inherited ones as well, if somebody has added any: to know those does no harm.
  for (const key in object) {
    if (--budget < 0 || !isKnown((object as Record<string, unknown>)[key], depth)) return false
  }
  return true
}

/** Whether JSON.stringify() would ask it for another value, also by a property that the walk does not meet. */
function writesItself(object: object): boolean {
  return typeof (object as { toJSON?: unknown }).toJSON === 'function'
}

function isKnownBuiltIn(object: object, prototype: unknown, depth: number): boolean {
  hasTag = true
  if (prototype === Date.prototype) return types.isDate(object)
  if (prototype === Map.prototype && types.isMap(object)) {
    budget -= 2 * object.size
    if (budget < 0) return false
    for (const [key, value] of object) {
      if (!isKnown(key, depth) || !isKnown(value, depth)) return false
    }
    return true
  }
  if (prototype === Set.prototype && types.isSet(object)) {
    budget -= object.size
    if (budget < 0) return false
    for (const value of object) if (!isKnown(value, depth)) return false
    return true
  }
  return false
}

function isFirstMeeting(object: object): boolean {
  if (metSet !== undefined) {
    const size = metSet.size
    return metSet.add(object).size !== size
  }
  for (let index = 0; index < metCount; index++) if (met[index] === object) return false
  if (metCount < met.length) met[metCount++] = object
  else metSet = new Set([...(met as object[]), object])
  return true
}

/** A copy of a known value in which everything is JSON. */
function tagged(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value.startsWith('~') ? `~${value}` : value
    case 'number':
      if (value - value === 0 && (value !== 0 || 1 / value > 0)) return value
      return Number.isNaN(value) ? '~n' : value === 0 ? '~z' : value > 0 ? '~i' : '~j'
    case 'undefined':
      return '~u'
    case 'bigint':
      return `~b${value}`
    case 'object':
      return value === null ? null : taggedObject(value)
    case 'boolean':
    case 'function':
    case 'symbol':
      return value
    default:
      return value
  }
}

function taggedObject(object: object): unknown {
  if (Array.isArray(object)) return object.map(tagged)
  if (types.isDate(object)) {
    const ms = object.getTime()
    return Number.isNaN(ms) ? '~d' : `~d${ms}`
  }
  if (types.isMap(object)) return taggedMap(object)
  if (types.isSet(object)) return ['~S', ...[...object].map(tagged)]
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(object)) {
    set(copy, key, tagged((object as Record<string, unknown>)[key]))
  }
  return copy
}

function taggedMap(map: Map<unknown, unknown>): unknown[] {
  const list: unknown[] = ['~M']
  for (const [key, value] of map) list.push(tagged(key), tagged(value))
  return list
}

// To assign to `__proto__` would set the prototype.
function set(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    })
  } else {
    object[key] = value
  }
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
    if (after !== before) set(object, key, after)
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
