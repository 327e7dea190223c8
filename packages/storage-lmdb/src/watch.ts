import {
  TreeError,
  TreeValue,
  eventIdInside,
  isAncestor,
  isPriorityPath,
  nodeAt,
  parseEventId,
  pathKeys,
  relativePath,
  rootPath,
} from '@elkyn/tree'
import type { Change, Path } from '@elkyn/tree'
import { keepAlive } from './keep-alive.ts'
import type { LmdbTreeStore } from './store.ts'

/** Something that happened at or below a watched path, or the value there as it is now. */
export interface TreeEvent {
  /** Where, from the watched path on: `/` is the path itself, whose value is replaced as a whole. */
  readonly path: string
  /** What is there now; `null` when it was deleted. */
  readonly value: unknown
  /** Number of the change, or of the last change that the value contains. */
  readonly sequence: number
  /** Place in the history, for {@link WatchOptions.since}. */
  readonly id: string | undefined
}

export interface WatchOptions {
  /**
   * Continue behind the event with this id: what was missed comes first, from the change log, and no
   * value before it. Where the log does not reach back so far, the current value comes as usual.
   */
  readonly since?: string | undefined
  /** Ends the watch. */
  readonly signal?: AbortSignal
}

export interface ListenerOptions extends WatchOptions {
  /**
   * Told what has ended the watch: that a value could not be read, or what the listener threw. Default: the error is
   * not caught, and ends the process unless that catches it.
   */
  readonly onError?: (error: unknown) => void
}

/** So many events wait for a slow reader; then they give way to the value as it is, */
const MAX_WAITING = 1000
/** as they do where they have more characters of JSON. */
const MAX_WAITING_TEXT = 16 * 1024 * 1024

/** Follows a path; see `Tree.watch`. */
export function watchPath(
  store: LmdbTreeStore,
  path: Path,
  options: WatchOptions,
): AsyncIterable<TreeEvent> {
  return { [Symbol.asyncIterator]: () => new WatchIterator(store, path, options) }
}

/**
 * The events of a watch, which begins with the first one asked for. No generator function: that would not hear that its
 * reader has left while it waits for an event.
 */
class WatchIterator implements AsyncGenerator<TreeEvent, void, void> {
  readonly #store: LmdbTreeStore
  readonly #begin: () => PathWatch
  readonly #signal: AbortSignal | undefined
  #watch: PathWatch | undefined
  #isOver = false
  /** Settles when the event has come that was asked for last. */
  #last: Promise<void> | undefined

  constructor(store: LmdbTreeStore, path: Path, { since, signal }: WatchOptions) {
    this.#store = store
    this.#begin = () => new PathWatch(store, path, since)
    this.#signal = signal
  }

  /** Begins at once. @throws {TreeError} `ERR_STORE_CLOSED` */
  begin(): void {
    if (this.#isOver || this.#watch !== undefined) return
    if (this.#signal?.aborted === true) {
      this.#isOver = true
      return
    }
    this.#watch = this.#begin()
    this.#signal?.addEventListener('abort', this.#end, { once: true })
  }

  /** What is there now is read within the call, unless an event was asked for that has not come. */
  async next(): Promise<IteratorResult<TreeEvent, void>> {
    const last = this.#last
    const next = last === undefined ? this.#next() : this.#nextBehind(last)
    const settled = settle(next)
    this.#last = settled
    try {
      return await next
    } finally {
      if (this.#last === settled) this.#last = undefined
    }
  }

  async #nextBehind(last: Promise<void>): Promise<IteratorResult<TreeEvent, void>> {
    await last
    return this.#next()
  }

  async return(): Promise<IteratorReturnResult<void>> {
    this.#end()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<never> {
    this.#end()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #next(): Promise<IteratorResult<TreeEvent, void>> {
    this.begin()
    // Within a write nothing is read.
    if (this.#store.isWriting) await Promise.resolve()
    try {
      // The store may have ended it.
      while (!this.#isOver && this.#watch?.ended === false) {
        const event = this.#watch.next()
        if (event !== undefined) return { done: false, value: event }
        await this.#watch.arrival()
      }
    } catch (error) {
      this.#end()
      // It closes in several steps, of which the last one says so.
      if (!(error instanceof TreeError && error.code === 'ERR_STORE_CLOSED')) throw error
    }
    this.#end()
    return { done: true, value: undefined }
  }

  readonly #end = (): void => {
    this.#isOver = true
    this.#signal?.removeEventListener('abort', this.#end)
    this.#watch?.end()
  }
}

interface Waiting {
  readonly event: TreeEvent
  readonly textLength: number
}

class PathWatch {
  readonly #store: LmdbTreeStore
  readonly #path: Path
  #events: Waiting[] = []
  /** The sum of theirs. */
  #textLength = 0
  /** The reader's next event is the value as it is then, instead of what came before. */
  #isStale = false
  /** Everything up to here the reader has, or will get with the value. */
  #sequence = 0
  readonly #detach: () => void
  #wake = (): void => {}
  ended = false

  /** @throws {TreeError} `ERR_STORE_CLOSED` */
  constructor(store: LmdbTreeStore, path: Path, since: string | undefined) {
    this.#store = store
    this.#path = path
    // Before the first value is read, so that no change falls between the two.
    const unsubscribe = store.subscribe((changes) => {
      for (const change of changes) this.#take(change, 0)
      // Most changes are elsewhere, and a thread may have many watches. Whoever waits has found neither of the two, and
      // has said how to wake him in the same step, so that whatever brings one of them wakes him.
      if (this.#isStale || this.#events.length > 0) this.#wake()
    })
    const unlisten = store.onClose(() => {
      this.end()
    })
    this.#detach = () => {
      unsubscribe()
      unlisten()
    }
    try {
      if (since === undefined || !this.#resume(since)) this.#isStale = true
    } catch (error) {
      this.#detach()
      throw error
    }
  }

  next(): TreeEvent | undefined {
    if (this.#isStale) return this.#fresh()
    const next = this.#events.shift()
    if (next !== undefined) this.#textLength -= next.textLength
    return next?.event
  }

  /** Resolves when there may be something to take. */
  async arrival(): Promise<void> {
    const waiting = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    await keepAlive(waiting)
  }

  /** Ends it for good. Who waits for an arrival looks again. */
  end(): void {
    this.ended = true
    this.#detach()
    this.#wake()
  }

  #fresh(): TreeEvent {
    using snapshot = this.#store.snapshot()
    this.#isStale = false
    this.#sequence = snapshot.sequence
    return {
      path: rootPath,
      value: snapshot.get(this.#path).toJSON(),
      sequence: this.#sequence,
      id: this.#store.idOf(this.#sequence),
    }
  }

  /** Takes what was missed since an event. @returns false when the log does not say. */
  #resume(since: string): boolean {
    const { id, pairs } = parseEventId(since)
    let isFound = false
    for (const change of this.#store.changesFrom(id)) {
      this.#take(change, isFound ? 0 : pairs)
      isFound = true
      if (this.#isStale) break
    }
    return isFound
  }

  /** @param from How many pairs of the change the reader has already. */
  #take(change: Change, from: number): void {
    if (this.#isStale || change.sequence <= this.#sequence) return
    this.#sequence = change.sequence
    for (let index = from; index < change.pairs.length; index++) this.#takePair(change, index)
  }

  #takePair({ sequence, id, pairs }: Change, index: number): void {
    const { path, value } = pairs[index]!
    // Priorities do not show in the plain value.
    if (this.#isStale || isPriorityPath(path)) return
    const below = relativePath(this.#path, path)
    const isAbove = below === undefined && isAncestor(path, this.#path)
    if (below === undefined && !isAbove) return
    if (value === undefined || this.#events.length >= MAX_WAITING) {
      this.#giveWay()
      return
    }
    const part = isAbove ? partOf(value, relativePath(path, this.#path)!) : value
    const place = index === pairs.length - 1 ? id : eventIdInside(id, index + 1)
    const event = { path: below ?? rootPath, value: part.toJSON(), sequence, id: place }
    const textLength = part.text.length
    this.#events.push({ event, textLength })
    this.#textLength += textLength
    if (this.#textLength > MAX_WAITING_TEXT) this.#giveWay()
  }

  #giveWay(): void {
    this.#isStale = true
    this.#events = []
    this.#textLength = 0
  }
}

function partOf(value: TreeValue, path: Path): TreeValue {
  return TreeValue.fromNode(nodeAt(value.node, pathKeys(path)))
}

/**
 * Calls a function with each event. @returns the function that ends it.
 * @throws {TreeError} `ERR_STORE_CLOSED`
 */
export function callEach(
  store: LmdbTreeStore,
  path: Path,
  listener: (event: TreeEvent) => void,
  options: ListenerOptions,
): () => void {
  const { onError, signal } = options
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
  const events = new WatchIterator(store, path, { ...options, signal: either })
  // Here and not in the function below, so that a closed store is the caller's error.
  events.begin()
  const ended = callWith(events, listener, either)
  if (onError !== undefined) ended.catch(onError)
  return () => {
    stop.abort()
  }
}

async function callWith(
  events: WatchIterator,
  listener: (event: TreeEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      const step = await events.next()
      // It may have been stopped since.
      if (step.done === true || signal.aborted) return
      listener(step.value)
    }
  } finally {
    await events.return()
  }
}

async function settle(promise: Promise<unknown>): Promise<void> {
  try {
    await promise
  } catch {
    // Whoever asked for it is told.
  }
}
