import {
  TreeValue,
  isAncestor,
  isPriorityPath,
  nodeAt,
  pathKeys,
  relativePath,
  rootPath,
} from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
import type { LmdbTreeStore } from './store.ts'

/** Something that happened at or below a watched path, or the value there as it is now. */
export interface TreeEvent {
  /** Where, from the watched path on: `/` is the path itself, whose value is replaced as a whole. */
  readonly path: string
  /** What is there now; `null` when it was deleted. */
  readonly value: unknown
  /** Number of the change, or of the last change that the value contains. */
  readonly sequence: number
  /** Place in the history, for {@link WatchOptions.since}. `undefined` before the first change. */
  readonly id: string | undefined
}

export interface WatchOptions {
  /**
   * Continue behind the event with this id: what was missed comes first, from the change log, and no
   * value before it. Where the log does not reach back so far, the current value comes as usual.
   */
  readonly since?: string
  /** Ends the watch. */
  readonly signal?: AbortSignal
}

/** So many events wait for a slow reader; then they give way to the value as it is. */
const MAX_WAITING = 1000

/** Longest delay that a timer takes, in milliseconds. */
const FOREVER_MS = 2 ** 31 - 1

/** Follows a path; see `Tree.watch`. */
export async function* watchPath(
  store: LmdbTreeStore,
  path: Path,
  { since, signal }: WatchOptions,
): AsyncGenerator<TreeEvent, void, void> {
  const watch = new PathWatch(store, path)
  const end = () => {
    watch.end()
  }
  signal?.addEventListener('abort', end, { once: true })
  try {
    if (signal?.aborted === true) return
    watch.start(since)
    while (!watch.ended) {
      const event = watch.next()
      if (event === undefined) await watch.arrival()
      else yield event
    }
  } finally {
    signal?.removeEventListener('abort', end)
    watch.stop()
  }
}

class PathWatch {
  readonly #store: LmdbTreeStore
  readonly #path: Path
  #events: TreeEvent[] = []
  /** The reader's next event is the value as it is then, instead of what came before. */
  #isStale = false
  /** Everything up to here the reader has, or will get with the value. */
  #sequence = 0
  #detach = (): void => {}
  #wake = (): void => {}
  ended = false

  constructor(store: LmdbTreeStore, path: Path) {
    this.#store = store
    this.#path = path
  }

  start(since: string | undefined): void {
    // Before the first value is read, so that no change falls between the two.
    const unsubscribe = this.#store.subscribe((changes) => {
      for (const change of changes) this.#take(change)
      this.#wake()
    })
    const unlisten = this.#store.onClose(() => {
      this.end()
    })
    this.#detach = () => {
      unsubscribe()
      unlisten()
    }
    const missed = since === undefined ? undefined : this.#store.changesSince(since)
    if (missed === undefined) this.#isStale = true
    else for (const change of missed) this.#take(change)
  }

  next(): TreeEvent | undefined {
    return this.#isStale ? this.#fresh() : this.#events.shift()
  }

  /** Resolves when there may be something to take. */
  async arrival(): Promise<void> {
    // Somebody waits for a change: that is a reason for the process to live.
    const alive = setInterval(() => {}, FOREVER_MS)
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    clearInterval(alive)
  }

  end(): void {
    this.ended = true
    this.#wake()
  }

  stop(): void {
    this.#detach()
  }

  #fresh(): TreeEvent {
    using snapshot = this.#store.snapshot()
    this.#isStale = false
    this.#events = []
    this.#sequence = snapshot.sequence
    return {
      path: rootPath,
      value: snapshot.get(this.#path).toJSON(),
      sequence: this.#sequence,
      id: this.#store.idOf(this.#sequence),
    }
  }

  #take(change: Change): void {
    if (this.#isStale || change.sequence <= this.#sequence) return
    this.#sequence = change.sequence
    for (const pair of change.pairs) this.#takePair(change, pair)
  }

  #takePair({ sequence, id }: Change, { path, value }: ChangePair): void {
    // Priorities do not show in the plain value.
    if (isPriorityPath(path)) return
    const below = relativePath(this.#path, path)
    const isAbove = below === undefined && isAncestor(path, this.#path)
    if (below === undefined && !isAbove) return
    if (value === undefined || this.#events.length >= MAX_WAITING) {
      this.#isStale = true
      this.#events = []
      return
    }
    const part = isAbove ? partOf(value, relativePath(path, this.#path)!) : value
    this.#events.push({ path: below ?? rootPath, value: part.toJSON(), sequence, id })
  }
}

function partOf(value: TreeValue, path: Path): TreeValue {
  return TreeValue.fromNode(nodeAt(value.node, pathKeys(path)))
}

/** Calls a function with each event. @returns the function that ends it. */
export function callEach(
  store: LmdbTreeStore,
  path: Path,
  listener: (event: TreeEvent) => void,
  options: WatchOptions,
): () => void {
  const stop = new AbortController()
  const { signal } = stop
  const events = watchPath(store, path, {
    ...options,
    signal: options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]),
  })
  void (async () => {
    for await (const event of events) listener(event)
  })()
  return () => {
    stop.abort()
  }
}
