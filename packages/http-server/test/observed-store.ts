import { EventEmitter, once } from 'node:events'
import { MemoryTreeStore } from '@elkyn/tree'
import type {
  Change,
  StageOptions,
  Stager,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
  WriteOutcome,
} from '@elkyn/tree'
import { SnapshotBody } from '../src/snapshot-body.ts'

/** A store in memory that can be watched, held up and made to fail. */
export class ObservedStore implements TreeStore {
  readonly #store = new MemoryTreeStore()
  readonly #events = new EventEmitter()
  /** Snapshots that nobody has closed. */
  openSnapshots = 0
  /** Values that are read in blocks, and have neither ended nor been given up. */
  openBlocks = 0
  /** Bodies that went into a stager and were neither written nor aborted. */
  openStagers = 0
  isClosed = false
  /** Thrown by `snapshot()` and `write()` while it is set. */
  failure: Error | undefined
  /** Leaves values out of outcomes, as a store may do with large ones. */
  leavesValuesOut = false
  /** Thrown by `snapshot()` only. */
  snapshotFailure: Error | undefined
  /** Thrown when a stager is given something. */
  stageFailure: Error | undefined
  /** Thrown behind the second block of a large value. */
  readFailure: Error | undefined
  #gate: Promise<void> | undefined

  /** Makes writes wait until the returned function is called. */
  holdWrites(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gate = promise
    return resolve
  }

  /** Resolves when the next write has arrived. */
  async writeBegun(): Promise<void> {
    await once(this.#events, 'write')
  }

  /** Resolves when the next snapshot is opened. */
  async snapshotOpened(): Promise<void> {
    await once(this.#events, 'open')
  }

  /** Resolves when no snapshot is open any more. */
  async snapshotsClosed(): Promise<void> {
    while (this.openSnapshots > 0) await once(this.#events, 'close')
  }

  /** Resolves when the next stager is told that nothing comes of it. */
  async stagerAborted(): Promise<void> {
    await once(this.#events, 'stager-aborted')
  }

  snapshot(): TreeSnapshot {
    const failure = this.failure ?? this.snapshotFailure
    if (failure !== undefined) throw failure
    const snapshot = this.#store.snapshot()
    this.openSnapshots++
    this.#events.emit('open')
    let isOpen = true
    return new Proxy(snapshot, {
      get: (target, name) => {
        if (name === 'jsonBlocks') {
          return (...parameters: Parameters<TreeSnapshot['jsonBlocks']>) =>
            this.#failing(target.jsonBlocks(...parameters))
        }
        if (name === 'close') {
          return () => {
            if (isOpen) this.openSnapshots--
            isOpen = false
            target.close()
            this.#events.emit('close')
          }
        }
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  }

  commit(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    return this.#store.commit(writes)
  }

  async write(write: TreeWrite): Promise<WriteOutcome> {
    this.#events.emit('write')
    await this.#gate
    if (this.failure !== undefined) throw this.failure
    const outcome = await this.#store.write(write)
    if (!this.leavesValuesOut) return outcome
    return outcome.ok
      ? { ...outcome, values: outcome.values.map(() => undefined) }
      : { ok: false, error: outcome.error }
  }

  stage(options?: StageOptions): Stager {
    const stager = this.#store.stage(options)
    this.openStagers++
    return {
      write: (chunk) => {
        if (this.stageFailure !== undefined) throw this.stageFailure
        stager.write(chunk)
      },
      end: () => stager.end(),
      abort: () => {
        this.openStagers--
        stager.abort()
        this.#events.emit('stager-aborted')
      },
    }
  }

  idle(): void {
    this.#store.idle()
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.#store.subscribe(listener)
  }

  changesFrom(id: string): Iterable<Change> {
    return this.#store.changesFrom(id)
  }

  idOf(sequence: number): string | undefined {
    return this.#store.idOf(sequence)
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.#store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #failing(blocks: Iterable<Uint8Array> | undefined): Iterable<Uint8Array> | undefined {
    if (blocks === undefined) return undefined
    this.openBlocks++
    const own = this.readFailure === undefined ? blocks : failAfterTwo(blocks, this.readFailure)
    return new SnapshotBody(own, () => this.openBlocks--)
  }
}

function* failAfterTwo(blocks: Iterable<Uint8Array>, failure: Error): Generator<Uint8Array> {
  let count = 0
  for (const block of blocks) {
    if (count++ === 2) throw failure
    yield block
  }
}
