import { isMarkedAsUntransferable } from 'node:worker_threads'
import type { TransferListItem } from 'node:worker_threads'

/** What `setup` and `teardown` are told. */
export interface ThreadInfo {
  /** Number of the thread in its pool, unique among those that run. */
  readonly thread: number
  /** `workerData` of the pool: a clone for each thread. */
  readonly workerData: unknown
}

/** What a handler is told about the run. */
export interface TaskContext<State = unknown> extends ThreadInfo {
  /** What `setup` returned, awaited. */
  readonly state: State
  /** The name under which the handler was called. */
  readonly name: string
  /**
   * Whether the caller has given up: its signal has aborted, the time is over, or the pool is being
   * destroyed. Costs one atomic load, so that a busy loop can look at it.
   */
  readonly cancelled: boolean
  /** The same for asynchronous code; it aborts when the event loop of the thread has a turn. */
  readonly signal: AbortSignal
  /** @throws {DOMException} AbortError, if `cancelled` */
  throwIfCancelled(): void
}

/** A handler: what it returns, or what its promise is fulfilled with, is cloned and sent to the caller. */
export type Handler<State = unknown> = (task: never, context: TaskContext<State>) => unknown

/** The handlers of a worker module, with what they share. */
export interface WorkerDefinition<
  State = unknown,
  Handlers extends Record<string, Handler<State>> = Record<string, Handler<State>>,
> {
  /** Runs once in each thread, before its first task. If it fails, so does the start of the thread. */
  setup?(info: ThreadInfo): State | Promise<State>
  /** Runs once in each thread that is stopped, after its last task; not in one that dies. */
  teardown?(state: State): void | Promise<void>
  /** By name. The one called `default` serves `run()` without a name. */
  handlers: Handlers
}

const brand = Symbol.for('@elkyn/thread-pool/worker-definition')

/**
 * Says what the threads of a pool do. Export the result from the worker module, under any name, and pass its type to
 * `ThreadPool<typeof worker>`.
 *
 * @throws {TypeError} if there are no handlers, or one is no function
 */
export function defineWorker<
  // First, so that it is inferred first: handlers are to know it also where `setup` looks at what it is told.
  State,
  const Handlers extends Record<string, Handler<State>>,
>(definition: WorkerDefinition<State, Handlers>): WorkerDefinition<State, Handlers> {
  for (const [name, handler] of Object.entries(handlersOf(definition))) {
    if (typeof handler !== 'function')
      throw new TypeError(`The handler "${name}" is not a function`)
  }
  return Object.assign({}, definition, { [brand]: true })
}

// It may come from JavaScript: its type is a hope.
function handlersOf({ handlers }: { handlers?: unknown }): Record<string, unknown> {
  if (typeof handlers === 'object' && handlers !== null) return { ...handlers }
  throw new TypeError(
    'Cannot define a worker without handlers: an object with a function for each name',
  )
}

/** Whether the value was made by {@link defineWorker}, be it another copy of this module's. */
export function isWorkerDefinition(value: unknown): value is WorkerDefinition {
  return typeof value === 'object' && value !== null && brand in value
}

const movedBrand: unique symbol = Symbol.for('@elkyn/thread-pool/moved')

/** A result whose buffers are moved. See {@link move}. */
export interface Moved<T> {
  readonly [movedBrand]: true
  readonly value: T
  readonly transferList: readonly TransferListItem[]
}

/**
 * Returns `value` from a handler and moves buffers, ports or streams instead of copying them; the thread cannot use them
 * afterwards. The memory in which the bytes of small tasks lie together is copied all the same.
 *
 * @param transferList What to move. Default: `value` itself, or its buffer if it is a view.
 */
export function move<T>(value: T, transferList?: readonly TransferListItem[]): Moved<T> {
  const list =
    transferList ?? ([ArrayBuffer.isView(value) ? value.buffer : value] as TransferListItem[])
  // Others would lose what they have there.
  const own = list.filter((item) => !isMarkedAsUntransferable(item))
  return { [movedBrand]: true, value, transferList: own }
}

/** Whether a handler returned what {@link move} gave it. */
export function isMoved(value: unknown): value is Moved<unknown> {
  return typeof value === 'object' && value !== null && movedBrand in value
}
