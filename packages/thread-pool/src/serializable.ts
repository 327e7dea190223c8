// Which values `v8.Serializer` carries as a structured clone does. It knows JavaScript's own types and nothing of Node's:
// a Blob or a KeyObject would arrive as an empty object. So every object has to show a prototype from this list.
import { types } from 'node:util'

/** Values that are looked at before leaving it to the port, which is as fast for large ones. */
const maxValues = 16_384

let budget = 0

const plainPrototypes = new Set<unknown>([
  null,
  Object.prototype,
  Array.prototype,
  Date.prototype,
  RegExp.prototype,
  Boolean.prototype,
  Number.prototype,
  String.prototype,
])

const errorPrototypes = new Set<unknown>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
    (constructor) => constructor.prototype,
  ),
)

/** Whether `v8.Serializer` writes the value so that it comes out as from a structured clone. */
export function isSerializable(value: unknown): boolean {
  if (isLeaf(value)) return true
  if (typeof value !== 'object' || value === null) return false
  budget = maxValues
  const seen = new Set<object>([value])
  // The set grows while it is walked.
  for (const object of seen) {
    if (types.isProxy(object) || !addChildren(object, seen)) return false
  }
  return true
}

function addChildren(object: object, seen: Set<object>): boolean {
  if (ArrayBuffer.isView(object)) return isOwnBuffer(object.buffer) && isStandardView(object)
  if (object instanceof ArrayBuffer) return isOwnBuffer(object)
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype === Map.prototype && types.isMap(object)) {
    budget -= object.size
    for (const [key, value] of budget < 0 ? [] : object)
      if (!add(key, seen) || !add(value, seen)) return false
    return budget >= 0
  }
  if (prototype === Set.prototype && types.isSet(object)) {
    budget -= object.size
    for (const value of budget < 0 ? [] : object) if (!add(value, seen)) return false
    return budget >= 0
  }
  // Of an error, a clone keeps what is its own and hidden.
  if (types.isNativeError(object)) return errorPrototypes.has(prototype) && add(object.cause, seen)
  if (!plainPrototypes.has(prototype)) return false
  const keys = Object.keys(object)
  budget -= keys.length
  if (budget < 0) return false
  for (const key of keys) if (!add(Reflect.get(object, key), seen)) return false
  return true
}

function add(value: unknown, seen: Set<object>): boolean {
  if (isLeaf(value)) return true
  if (typeof value !== 'object' || value === null) return false
  seen.add(value)
  return true
}

function isLeaf(value: unknown): boolean {
  return (
    value === null ||
    (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
  )
}

function isOwnBuffer(buffer: ArrayBufferLike): boolean {
  return buffer instanceof ArrayBuffer && !buffer.detached && !buffer.resizable
}

// Buffers included: a structured clone makes plain views of them, and so does V8.
function isStandardView(view: ArrayBufferView): boolean {
  return types.isTypedArray(view) || types.isDataView(view)
}
