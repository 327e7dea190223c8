// What a handler throws, as a value that any thread can read.
import { inspect } from 'node:util'
import { plainJson } from './json-text.ts'
import { ThreadPoolError } from './errors.ts'

/** An error as plain data. */
interface ErrorData {
  /** The built-in class that it is an instance of. */
  class: string
  name: string
  message: string
  stack?: string
  code?: unknown
  properties?: Record<string, unknown>
  cause?: Thrown
  /** Of an `AggregateError`. */
  errors?: Thrown[]
  /** Both of a `SuppressedError`. */
  error?: Thrown
  suppressed?: Thrown
}

/** Whatever was thrown: an error, or any other value that is JSON, or undefined. */
export type Thrown = { error: ErrorData } | { value?: unknown }

/** How deep causes and errors of an `AggregateError` go along, */
const maxDepth = 8
/** and how many of them: those that hold each other, or one several times, would be without number. */
const maxInner = 10_000

/** How many more may go along. */
interface Room {
  left: number
}

/** What `using` throws where a block has failed, and then what was to be disposed of. Node.js 22 has it not. */
const suppressedErrorClass = Reflect.get(globalThis, 'SuppressedError') as
  | SuppressedErrorConstructor
  | undefined

const classes: Record<string, new (message: string) => Error> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
}

/** Makes plain data of what was thrown. What cannot be JSON is left out of an error's own properties. */
export function packThrown(thrown: unknown): Thrown {
  return pack(thrown, 0, { left: maxInner })
}

function pack(thrown: unknown, depth: number, room: Room): Thrown {
  try {
    if (isErrorLike(thrown)) return { error: packError(thrown, depth, room) }
    if (thrown === undefined) return {}
    const json = plainJson(thrown)
    if (json !== undefined) return { value: JSON.parse(json) }
    return { error: packError(notCloneable('throw', describe(thrown)), depth, room) }
  } catch (error) {
    // A hostile getter: say so rather than leave the task without an answer.
    return { error: packError(notCloneable('throw', describe(error)), depth, room) }
  }
}

/** The error that stands for a value which cannot leave its thread. */
export function notCloneable(verb: 'return' | 'throw' | 'send', reason: unknown): ThreadPoolError {
  const message = reason instanceof Error ? reason.message : String(reason)
  return new ThreadPoolError('ERR_VALUE_NOT_CLONEABLE', `Cannot ${verb} the value: ${message}`, {
    cause: reason,
  })
}

function isErrorLike(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

function packError(error: Error, depth: number, room: Room): ErrorData {
  const data: ErrorData = {
    class: className(error),
    // Anything can be assigned to them.
    name: textOf(error.name),
    message: textOf(error.message),
  }
  if (typeof error.stack === 'string') data.stack = error.stack
  const code: unknown = Reflect.get(error, 'code')
  if (typeof code === 'string' || typeof code === 'number') data.code = code
  const properties: Record<string, unknown> = {}
  for (const key of Object.keys(error)) {
    if (key === 'cause' || key === 'stack' || key === 'message') continue
    if (key === 'errors' && error instanceof AggregateError) continue
    const json = plainJson(Reflect.get(error, key))
    if (json !== undefined) properties[key] = JSON.parse(json)
  }
  if (Object.keys(properties).length > 0) data.properties = properties
  if (depth === maxDepth) return data
  if (error.cause !== undefined && room.left > 0) data.cause = packInner(error.cause, depth, room)
  if (error instanceof AggregateError) {
    const errors: Thrown[] = []
    for (const inner of error.errors) {
      if (room.left === 0) break
      errors.push(packInner(inner, depth, room))
    }
    data.errors = errors
  }
  if (isSuppressedError(error)) {
    if (room.left > 0) data.error = packInner(error.error, depth, room)
    if (room.left > 0) data.suppressed = packInner(error.suppressed, depth, room)
  }
  return data
}

function packInner(inner: unknown, depth: number, room: Room): Thrown {
  room.left--
  return pack(inner, depth + 1, room)
}

function className(error: Error): string {
  if (error instanceof ThreadPoolError) return 'ThreadPoolError'
  if (error instanceof DOMException) return 'DOMException'
  if (error instanceof AggregateError) return 'AggregateError'
  if (isSuppressedError(error)) return 'SuppressedError'
  for (const [name, constructor] of Object.entries(classes)) {
    if (name !== 'Error' && error instanceof constructor) return name
  }
  return 'Error'
}

function isSuppressedError(error: Error): error is SuppressedError {
  return suppressedErrorClass !== undefined && error instanceof suppressedErrorClass
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : describe(value)
}

function describe(value: unknown): string {
  if (typeof value === 'object') return Object.prototype.toString.call(value)
  return inspect(value)
}

/** What {@link packThrown} took apart, put together in this thread. */
export function unpackThrown(thrown: Thrown): unknown {
  return 'error' in thrown ? unpackError(thrown.error) : thrown.value
}

function unpackError(data: ErrorData): Error {
  const error = construct(data)
  if (data.stack !== undefined) hide(error, 'stack', data.stack)
  if (error.name !== data.name) hide(error, 'name', data.name)
  if (data.cause !== undefined) hide(error, 'cause', unpackThrown(data.cause))
  // Defined, not assigned: DOMException's own `code` can't be set, `__proto__` must not be.
  for (const [key, value] of Object.entries(data.properties ?? {})) {
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    })
  }
  if (data.code !== undefined && Reflect.get(error, 'code') !== data.code) {
    hide(error, 'code', data.code)
  }
  return error
}

function construct(data: ErrorData): Error {
  if (data.class === 'DOMException') return new DOMException(data.message, data.name)
  if (data.class === 'AggregateError') {
    return new AggregateError((data.errors ?? []).map(unpackThrown), data.message)
  }
  if (data.class === 'SuppressedError' && suppressedErrorClass !== undefined) {
    const [error, suppressed] = [data.error ?? {}, data.suppressed ?? {}].map(unpackThrown)
    return new suppressedErrorClass(error, suppressed, data.message)
  }
  if (data.class === 'ThreadPoolError') {
    return new ThreadPoolError(data.code as ThreadPoolError['code'], data.message)
  }
  return new (classes[data.class] ?? Error)(data.message)
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, {
    value,
    configurable: true,
    enumerable: false,
    writable: true,
  })
}
