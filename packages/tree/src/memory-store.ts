import { TreeError } from './errors.ts'
import { etagOf } from './etag.ts'
import { checkIdempotencyKey, outcomeAgain, rememberedWrite } from './idempotency.ts'
import type { RememberedWrite } from './idempotency.ts'
import { checkIndexDefinitions, indexesAt } from './index-definitions.ts'
import type { IndexDefinitions } from './index-definitions.ts'
import { MemoryStager } from './memory-stager.ts'
import { MemorySnapshot, MemoryView } from './memory-view.ts'
import type { MemoryIndexes } from './memory-view.ts'
import { checkNode, nodeAt } from './node.ts'
import type { TreeNode } from './node.ts'
import { pushId } from './push-id.ts'
import { resolveServerValues } from './server-value.ts'
import { isStaged } from './staged.ts'
import { ChangesInMemory } from './changes-in-memory.ts'
import type {
  Change,
  ChangePair,
  StageOptions,
  Stager,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
  WriteAccepted,
  WriteOutcome,
  WritePair,
  WriteRefused,
} from './store.ts'
import { TreeEdits, valueAt } from './tree-at.ts'
import { TreeValue } from './tree-value.ts'
import { checkConflicts } from './update-path.ts'

export interface MemoryTreeStoreOptions {
  /** The clock, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number
  /** Changes that are kept for those who ask for what they have missed. Default: 10000. */
  readonly maxLoggedChanges?: number
  /**
   * About how many bytes of memory those may take, by their values and paths. The newest one is kept in any case.
   * Default: 64 MiB.
   */
  readonly maxLoggedBytes?: number
  /**
   * By which fields children may be ordered, and where. Nothing is built: a query looks at all children
   * of its place. Checked as by `checkIndexDefinitions`. Default: none.
   */
  readonly indexes?: IndexDefinitions
  /** Whether a query by a child path or `$value` needs an index. Default: true. */
  readonly requireIndexes?: boolean
}

type Listener = (changes: readonly Change[]) => void

/** Changes, and those who listened when they were made. */
interface Unheard {
  readonly changes: readonly Change[]
  readonly listeners: readonly Listener[]
}

/** Clients with idempotency keys that are remembered; beyond that the longest idle ones are not. */
const maxClients = 10_000
/** Names of those that are not, beyond which the first to be forgotten could be taken for new ones. */
const maxForgotten = 100_000

interface QueuedWrite {
  readonly write: TreeWrite
  readonly resolve: (outcome: WriteOutcome) => void
}

/**
 * A {@link TreeStore} in memory: for browsers, for tests, and the plain reference of the contract.
 * Nothing outlives it. A write copies each branch on its ways once, so it takes time linear in the
 * number of their children, however many values it has.
 */
export class MemoryTreeStore implements TreeStore {
  readonly #now: () => number
  readonly #indexes: MemoryIndexes
  /** Sets the changes of this store apart from those of any other. */
  readonly #history = pushId()
  readonly #log: ChangesInMemory
  #root: TreeNode | null = null
  #sequence = 0
  #isClosed = false
  /** Whether a write is being applied: its functions and its judge may not come back here. */
  #isWriting = false
  #queue: QueuedWrite[] = []
  /** The last write of each client with idempotency keys. */
  readonly #clients = new Map<string, RememberedWrite>()
  /** Names of clients whose last write is not remembered any more. */
  readonly #forgotten = new Set<string>()
  readonly #listeners = new Set<Listener>()
  /** What the listeners have still to hear: more than one commit when a listener writes itself. */
  readonly #unheard: Unheard[] = []

  constructor(options: MemoryTreeStoreOptions = {}) {
    this.#now = options.now ?? Date.now
    this.#indexes = memoryIndexes(options)
    this.#log = new ChangesInMemory(
      options.maxLoggedChanges ?? 10_000,
      options.maxLoggedBytes ?? 64 * 1024 * 1024,
    )
  }

  snapshot(): TreeSnapshot {
    this.#checkReadable()
    return new MemorySnapshot(
      this.#root,
      this.#sequence,
      () => this.#checkReadable(),
      this.#indexes,
    )
  }

  commit(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    this.#checkWritable()
    // Writes take effect in the order of the calls.
    this.#flush()
    const changes: Change[] = []
    const outcomes = writes.map((write) => this.#apply(write, changes))
    if (changes.length > 0) {
      for (const change of changes) this.#log.add(change)
      this.#publish(changes)
    }
    return outcomes
  }

  async write(write: TreeWrite): Promise<WriteOutcome> {
    this.#checkWritable()
    return new Promise((resolve) => {
      this.#queue.push({ write, resolve })
      if (this.#queue.length === 1) queueMicrotask(() => this.#flush())
    })
  }

  stage(options: StageOptions = {}): Stager {
    this.#checkWritable()
    return new MemoryStager(options)
  }

  idle(): void {
    // Nothing is kept but the tree.
  }

  subscribe(listener: Listener): () => void {
    this.#checkOpen()
    // A function of its own, so that one listener may subscribe twice.
    const entry: Listener = (changes) => listener(changes)
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  *changesFrom(id: string): Iterable<Change> {
    this.#checkOpen()
    const [, number] = /-(\d+)-0$/.exec(id) ?? []
    const sequence = Number(number)
    if (this.idOf(sequence) !== id) return
    if (sequence === 0) yield { sequence, time: 0, id, pairs: [] }
    yield* this.#log.from(sequence)
  }

  idOf(sequence: number): string | undefined {
    this.#checkOpen()
    // Nothing is known to have been before the first change, so that is kept as long as that is.
    const isKept = sequence >= this.#firstLogged || (sequence === 0 && this.#firstLogged <= 1)
    return isKept && sequence <= this.#sequence ? this.#idOf(sequence) : undefined
  }

  get #firstLogged(): number {
    return Math.max(this.#sequence - this.#log.count + 1, 1)
  }

  #idOf(sequence: number): string {
    return `${this.#history}-${sequence}-0`
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#checkWritable()
    // A listener that hears of these may have queued more.
    while (this.#queue.length > 0) this.#flush()
    this.#isClosed = true
    this.#listeners.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    if (this.#isClosed)
      throw new TreeError('ERR_STORE_CLOSED', 'Cannot use the store: it is closed')
  }

  #checkReadable(): void {
    this.#checkOpen()
    if (!this.#isWriting) return
    throw new TypeError('Cannot read here: a write is being applied. Use what it was given')
  }

  #checkWritable(): void {
    this.#checkOpen()
    if (this.#isWriting) throw new TypeError('Cannot write here: another write is being applied')
  }

  #flush(): void {
    const queue = this.#queue
    if (queue.length === 0) return
    this.#queue = []
    const outcomes = this.commit(queue.map(({ write }) => write))
    for (const [index, { resolve }] of queue.entries()) resolve(outcomes[index] as WriteOutcome)
  }

  /** Applies one write, or leaves everything as it was. */
  #apply(write: TreeWrite, changes: Change[]): WriteOutcome {
    this.#isWriting = true
    try {
      return this.#tryApply(write, changes)
    } catch (error) {
      return { ok: false, error: toError(error) }
    } finally {
      this.#isWriting = false
    }
  }

  #tryApply(write: TreeWrite, changes: Change[]): WriteOutcome {
    const { idempotencyKey } = write
    if (idempotencyKey !== undefined) {
      const { client } = idempotencyKey
      const last = this.#clients.get(client)
      const isForgotten = last === undefined && this.#forgotten.has(client)
      if (checkIdempotencyKey(idempotencyKey, isForgotten ? 'forgotten' : last)) {
        return outcomeAgain(write, last!)
      }
    }
    checkConflicts(write.pairs.map(({ path }) => path))
    const time = this.#now()
    const failed = this.#checkCondition(write)
    if (failed !== undefined && write.judge === undefined) return failed

    const values: TreeValue[] = []
    const pairs: ChangePair[] = []
    const edits = new TreeEdits(this.#root)
    for (const pair of write.pairs) {
      const node = this.#resolve(pair, time)
      const value = TreeValue.fromNode(node)
      if (edits.set(pair.path, node)) pairs.push({ path: pair.path, value })
      values.push(value)
    }
    const after = edits.finish()
    const refusal = this.#judge(write, after, time) ?? failed
    if (refusal !== undefined) return refusal
    if (pairs.length === 0) {
      return this.#accept(write, { ok: true, sequence: undefined, time, values })
    }
    this.#root = after
    const sequence = ++this.#sequence
    changes.push({ sequence, time, id: this.#idOf(sequence), update: write.update, pairs })
    return this.#accept(write, { ok: true, sequence, time, values })
  }

  /** Remembers the outcome, if the write may come again. */
  #accept(write: TreeWrite, outcome: WriteAccepted): WriteAccepted {
    const { idempotencyKey: key } = write
    if (key === undefined) return outcome
    // Who wrote last goes last.
    this.#clients.delete(key.client)
    this.#clients.set(key.client, rememberedWrite(write, key, outcome))
    if (this.#clients.size > maxClients) this.#forgetClient()
    return outcome
  }

  /** Forgets the last write of the client that has been idle for longest. */
  #forgetClient(): void {
    const [oldest] = this.#clients.keys()
    if (oldest === undefined) return
    this.#clients.delete(oldest)
    this.#forgotten.add(oldest)
    const [first] = this.#forgotten
    if (this.#forgotten.size > maxForgotten && first !== undefined) this.#forgotten.delete(first)
  }

  #checkCondition({ precondition }: TreeWrite): WriteRefused | undefined {
    if (precondition === undefined) return undefined
    const { path } = precondition
    const value = TreeValue.fromNode(valueAt(this.#root, path))
    const etag = etagOf(value)
    if (etag === precondition.etag) return undefined
    const text = `Cannot write: ${path} is not what the precondition says`
    return {
      ok: false,
      error: new TreeError('ERR_CONDITION_FAILED', text, { path }),
      current: { etag, value },
    }
  }

  /** The value of a pair with nothing left to compute. */
  #resolve({ path, value }: WritePair, time: number): TreeNode | null {
    const before = valueAt(this.#root, path)
    const given = typeof value === 'function' ? value(TreeValue.fromNode(before)) : value
    if (given === undefined) {
      throw new TreeError('ERR_REFUSED', `Cannot write ${path}: the update function refused`, {
        path,
      })
    }
    const node = given instanceof TreeValue ? given.node : given
    if (node === null) return null
    if (isStaged(node)) {
      throw new TypeError(`Cannot write ${path}: the value was staged in another store`)
    }
    checkNode(node)
    return resolveServerValues(node, time, (keys) => nodeAt(before, keys))
  }

  #judge({ judge }: TreeWrite, after: TreeNode | null, time: number): WriteRefused | undefined {
    if (judge === undefined) return undefined
    const viewBefore = new MemoryView(this.#root, alwaysReadable)
    const viewAfter = new MemoryView(after, alwaysReadable)
    try {
      const error = judge(viewBefore, viewAfter, time)
      return error && { ok: false, error }
    } finally {
      viewBefore.close()
      viewAfter.close()
    }
  }

  #publish(changes: readonly Change[]): void {
    // A listener that is added later has not asked for what came before it.
    this.#unheard.push({ changes, listeners: [...this.#listeners] })
    // A listener that commits comes back here; its changes wait until all have heard these.
    if (this.#unheard.length > 1) return
    for (let next = this.#unheard[0]; next !== undefined; next = this.#unheard[0]) {
      for (const listener of next.listeners) {
        if (this.#listeners.has(listener)) tell(listener, next.changes)
      }
      this.#unheard.shift()
    }
  }
}

function memoryIndexes({
  indexes = {},
  requireIndexes = true,
}: MemoryTreeStoreOptions): MemoryIndexes {
  const definitions = checkIndexDefinitions(indexes)
  return {
    areRequired: requireIndexes,
    at(path) {
      const names = new Set(indexesAt(definitions, path).map(({ field }) => field.name))
      return ({ name }) => names.has(name)
    },
  }
}

function alwaysReadable(): void {
  // A judge reads while the write is being applied, and its views end with it.
}

function tell(listener: Listener, changes: readonly Change[]): void {
  try {
    listener(changes)
  } catch (error) {
    // The write is done and the other listeners wait: it fails by itself, as an uncaught error.
    queueMicrotask(() => {
      throw error
    })
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error('Cannot write: it threw', { cause: error })
}
