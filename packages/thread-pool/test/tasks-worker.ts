import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { defineWorker, move } from '../src/worker.ts'
import type { Moved, TaskContext, ThreadInfo, WorkerDefinition } from '../src/worker.ts'

/** What tests pass as `workerData`. */
export interface Shared {
  /** Words: a gate and counters, see the handlers. */
  words?: Int32Array
  failSetup?: boolean
  /** The gate at which `setup` waits. */
  setupGate?: number
  /** What `setup` and `note` add to. */
  notes?: unknown[]
}

interface State {
  words: Int32Array
}

interface Handlers extends Record<string, (task: never, context: TaskContext<State>) => unknown> {
  default(task: unknown): unknown
  later(task: unknown): Promise<unknown>
  where(): { thread: number; name: string }
  move(bytes: Uint8Array): Moved<Uint8Array>
  gate(word: number, context: TaskContext<State>): number
  gateLater(word: number, context: TaskContext<State>): Promise<number>
  twoGates(word: number, context: TaskContext<State>): Promise<void>
  countBoxed(task: { word: number }, context: TaskContext<State>): number
  count(word: number, context: TaskContext<State>): number
  exit(code: number): never
  exitOnce(word: number, context: TaskContext<State>): string
  fail(kind: string): never
  failLater(): Promise<never>
  outOfMemory(): unknown
  untilCancelled(word: number, context: TaskContext<State>): string
  bytesWhenCancelled(word: number, context: TaskContext<State>): Uint8Array
  untilThrown(word: number, context: TaskContext<State>): never
  surroundings(variable: string): object
  untilAborted(word: number, context: TaskContext<State>): Promise<unknown>
  forever(word: number, context: TaskContext<State>): never
  unclonable(): unknown
  throwsWhenRead(): unknown
  throwsWhenReadLater(): Promise<unknown>
  detachedLater(): Promise<Uint8Array>
  nested(depth: number): unknown
  note(task: string, context: TaskContext<State>): unknown
  sleep(ms: number): Promise<number>
}

function begin(words: Int32Array, word: number): void {
  Atomics.add(words, word, 1)
  Atomics.notify(words, word)
}

class CustomError extends RangeError {
  override readonly name = 'CustomError'
  readonly detail: { retryAfter: number } = { retryAfter: 3 }
  readonly code = 'E_CUSTOM'
}

function hostile(): unknown {
  return {
    get property(): never {
      throw new Error('a hostile getter')
    },
  }
}

/** Handlers that do what tests need. A gate is a word that is 0 before, and 1 once the handler has begun; 2 opens it. */
export const worker: WorkerDefinition<State, Handlers> = defineWorker({
  async setup({ thread, workerData: data }: ThreadInfo): Promise<State> {
    const shared = (data ?? {}) as Shared
    if (shared.failSetup === true) throw new Error(`setup of thread ${thread} failed`)
    shared.notes?.push('setup')
    const words = shared.words ?? new Int32Array(new SharedArrayBuffer(64))
    if (shared.setupGate !== undefined) {
      begin(words, shared.setupGate)
      await Atomics.waitAsync(words, shared.setupGate, 1).value
    }
    return { words }
  },
  teardown({ words }: State): void {
    // The last word counts teardowns, the one before lets them fail.
    Atomics.add(words, words.length - 1, 1)
    if (words[words.length - 2] === 1) throw new Error('teardown failed')
  },
  handlers: {
    default: (task: unknown) => task,
    later: async (task: unknown) => {
      await Promise.resolve()
      return task
    },
    where(this: void, _task?: never, context?: TaskContext<State>) {
      return { thread: context?.thread ?? -1, name: context?.name ?? '' }
    },
    move: (bytes: Uint8Array) => move(bytes),
    gate(word, { state }) {
      begin(state.words, word)
      Atomics.wait(state.words, word, 1)
      return word
    },
    async gateLater(word, { state }) {
      begin(state.words, word)
      const wait = Atomics.waitAsync(state.words, word, 1)
      await wait.value
      return word
    },
    // The second one, the next word, holds up the whole thread.
    async twoGates(word, { state: { words } }) {
      begin(words, word)
      await Atomics.waitAsync(words, word, 1).value
      begin(words, word + 1)
      Atomics.wait(words, word + 1, 1)
    },
    countBoxed: ({ word }, { state }) => Atomics.add(state.words, word, 1) + 1,
    count: (word, { state }) => Atomics.add(state.words, word, 1) + 1,
    exit: (code) => process.exit(code),
    exitOnce(word, { state }) {
      if (Atomics.add(state.words, word, 1) === 0) process.exit(3)
      return 'survived'
    },
    fail(kind) {
      if (kind === 'string') {
        throw 'just text'
      }
      if (kind === 'function') throw Object.assign(new Error('has a function'), { f: () => 1 })
      if (kind === 'custom') throw new CustomError('too much', { cause: new TypeError('deep') })
      throw new Error(kind)
    },
    async failLater() {
      await Promise.resolve()
      setTimeout(() => {
        throw new Error('thrown outside of any task')
      })
      return new Promise<never>(() => {})
    },
    outOfMemory() {
      const lists: unknown[] = []
      for (;;) lists.push(Array.from({ length: 1000 }, (_, index) => ({ index })))
    },
    untilCancelled(word, context) {
      begin(context.state.words, word)
      while (!context.cancelled) {
        // Busy.
      }
      begin(context.state.words, word)
      return 'noticed'
    },
    bytesWhenCancelled(word, context) {
      begin(context.state.words, word)
      while (!context.cancelled) {
        // Busy.
      }
      return new Uint8Array(100_000)
    },
    untilThrown(word, context) {
      begin(context.state.words, word)
      try {
        for (;;) context.throwIfCancelled()
      } finally {
        begin(context.state.words, word)
      }
    },
    surroundings: (variable) => ({
      env: process.env[variable],
      argv: process.argv.slice(2),
      execArgv: process.execArgv,
      workerData: workerData as unknown,
    }),
    async untilAborted(word, { state, signal }) {
      begin(state.words, word)
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true })
      })
      begin(state.words, word)
      return 'noticed'
    },
    forever(word, { state }) {
      begin(state.words, word)
      for (;;) {
        // Deaf.
      }
    },
    unclonable: () => () => 1,
    throwsWhenRead: hostile,
    throwsWhenReadLater: async () => hostile(),
    async detachedLater() {
      const bytes = new Uint8Array(10)
      structuredClone(bytes, { transfer: [bytes.buffer] })
      return bytes
    },
    nested(depth) {
      let value: unknown = depth
      for (let level = 0; level < depth; level++) value = [value]
      return value
    },
    note(task, { workerData: data }) {
      const { notes } = data as Shared
      notes?.push(task)
      return notes
    },
    sleep: (ms) => sleep(ms, ms),
  } satisfies Handlers,
})

/** Seen by `node:worker_threads`, too. */
export const data: unknown = workerData
