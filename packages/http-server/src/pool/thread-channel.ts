import { BroadcastChannel } from 'node:worker_threads'
import type { Log } from '../log.ts'

/** What a thread tells the server beside its answers. */
type Message =
  | {
      readonly type: 'log'
      readonly level: keyof Log
      readonly fields: object
      readonly text: string
    }
  | { readonly type: 'store-failed'; readonly error: unknown }

/** The side of a thread: its log, and bad news about its store. */
export class ThreadChannel {
  readonly #channel: BroadcastChannel

  constructor(name: string) {
    this.#channel = new BroadcastChannel(name)
    this.#channel.unref()
  }

  readonly log: Log = {
    error: (fields, text) => this.#log('error', fields, text),
    warn: (fields, text) => this.#log('warn', fields, text),
  }

  /** The store can do nothing any more, in any thread. */
  storeFailed(error: unknown): void {
    this.#post({ type: 'store-failed', error: portable(error) })
  }

  close(): void {
    this.#channel.close()
  }

  #log(level: keyof Log, fields: object, text: string): void {
    const entries = Object.entries(fields).map(([name, value]) => [name, portable(value)] as const)
    this.#post({ type: 'log', level, fields: Object.fromEntries(entries), text })
  }

  #post(message: Message): void {
    this.#channel.postMessage(message)
  }
}

/** The side of the server. Does not keep the process alive. */
export class ServerChannel {
  readonly #channel: BroadcastChannel

  constructor(name: string, log: Log, storeFailed: (error: unknown) => void) {
    this.#channel = new BroadcastChannel(name)
    this.#channel.unref()
    this.#channel.addEventListener('message', (event) => {
      if (!(event instanceof MessageEvent)) return
      const message = event.data as Message
      if (message.type === 'store-failed') storeFailed(restored(message.error))
      else log[message.level](restoredFields(message.fields), message.text)
    })
  }

  close(): void {
    this.#channel.close()
  }
}

/** An error as plain data: a clone would lose its code and its class's name. */
interface PortableError {
  readonly portableError: true
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly code: unknown
  readonly cause: unknown
}

const maxCauses = 4

function portable(value: unknown, depth = 0): unknown {
  if (!(value instanceof Error)) return isPlain(value) ? value : String(value)
  const { name, message, stack } = value
  const code: unknown = Reflect.get(value, 'code')
  const cause = depth < maxCauses ? portable(value.cause, depth + 1) : undefined
  return {
    portableError: true,
    name,
    message,
    stack,
    code: isPlain(code) ? code : undefined,
    cause,
  } satisfies PortableError
}

function isPlain(value: unknown): boolean {
  return (
    value === null ||
    (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
  )
}

function restored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('portableError' in value)) return value
  const { name, message, stack, code, cause } = value as PortableError
  const error = new Error(message, cause === undefined ? {} : { cause: restored(cause) })
  Object.assign(error, { name, ...(code === undefined ? {} : { code }) })
  if (stack !== undefined) error.stack = stack
  return error
}

function restoredFields(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, restored(value)]))
}
