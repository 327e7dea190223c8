import { attachSharedQueue, createSharedQueue } from './shared-queue.ts'
import type { WorkQueueStats } from './stats.ts'

/** What {@link createWorkQueue} takes. All sizes are fixed for the life of the queue. */
export interface WorkQueueOptions {
  /**
   * Items that each band can hold, rounded up to a power of two; up to 2^24. A band that holds so
   * many is full: `try` forms return `false`, the others wait. Default: 1024.
   */
  capacity?: number
  /**
   * Bytes of an item that travel in its slot; rounded up so that a slot fills cache lines. Longer
   * items travel in blocks of the arena. Default: 112 (slots of 128 bytes). Up to 65,520.
   */
  slotBytes?: number
  /** Priority bands, 1 to 8. Band 0 is the most urgent. Default: 1. */
  bands?: number
  /**
   * With several bands: one in so many items is taken from a lower band although a higher one has
   * items, so that low ones are delayed and never starved; a batch is not cut short for it. At
   * least 2. Default: 8.
   */
  ageEvery?: number
  /**
   * Bytes for items longer than `slotBytes`, all together; the longest item is what fits. 0: longer
   * items are refused with `ERR_ITEM_TOO_LARGE`. Memory is used as far as it was ever filled.
   * Default: 16 MiB.
   */
  arenaBytes?: number
  /** Bytes of one block of the arena; a long item fills a chain of them. Default: 64 KiB. */
  blockBytes?: number
  /**
   * Threads (more precisely: {@link createWorkQueue} and {@link attachWorkQueue} calls without
   * `detach`) at a time, rounded up to a multiple of 32; the next one is refused with
   * `ERR_TOO_MANY_PARTICIPANTS`. Default: 32, up to 1024.
   */
  maxParticipants?: number
  /**
   * One in so many items (a power of two) is timed for the histogram of waiting times; 1 times
   * each and costs two clock readings an item. Default: 64.
   */
  sampleEvery?: number
}

/**
 * What another thread needs to attach. A plain object: send it by `postMessage` or `workerData`, to
 * as many threads as you like, as often as you like.
 */
export interface WorkQueueHandle {
  readonly type: 'elkyn.work-queue'
  readonly buffer: SharedArrayBuffer
}

/** What an item is made of: bytes, which are copied, or a draft, which is handed over. */
export type Source = Uint8Array | Draft

/** How an item is put in. */
export interface EnqueueOptions {
  /** The priority band; 0 is the most urgent. Default: 0. */
  band?: number
  /**
   * A number of yours from 0 to 2^32 - 1 that travels beside the bytes; {@link WorkQueue.reap} names
   * the items in hand of a dead thread by it. Default: 0.
   */
  tag?: number
}

/** How long a form that blocks the thread may take. */
export interface TimedWait {
  /** Milliseconds after which it gives up. Default: never. */
  timeoutMs?: number
}

/** How long an asynchronous form may take. While one is pending the event loop is kept alive. */
export interface Wait extends TimedWait {
  /** Rejects with the signal's `reason` when it aborts; the queue is as if it had not been called. */
  signal?: AbortSignal
}

/** How many items to take at once. */
export interface DequeueManyOptions {
  /** 1 to 256, the default. */
  max?: number
}

/** An item taken from the queue. It is the taker's alone. */
export interface WorkItem {
  readonly byteLength: number
  readonly tag: number
  readonly band: number
  /**
   * The bytes, in memory of this thread. For an item in blocks the first access copies them
   * together and gives the blocks back, as `release()` does.
   */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Whether it holds blocks of the arena. Then read `bytes` or call `release()`, or they stay taken. */
  readonly inBlocks: boolean
  /**
   * The bytes in order, where they lie: for an item in blocks views of shared memory, which must not be used
   * after `release()`; otherwise `bytes`.
   */
  segments(): Uint8Array[]
  /** Gives the blocks back. Harmless when there are none. */
  release(): void
  [Symbol.dispose](): void
}

/** Items taken at once, in order, all of one band. Views of them are made when asked for. */
export interface WorkBatch extends Iterable<WorkItem> {
  /** At least 1. */
  readonly length: number
  readonly band: number
  /** The item at an index from 0; the same object each time. */
  item(index: number): WorkItem
  /** Its tag, without making the item. */
  tag(index: number): number
  /** Its length in bytes, without making the item. */
  byteLength(index: number): number
  /**
   * Where its bytes start in `memory`, without making the item: the fastest way to read many small
   * items. -1 for an item in blocks.
   */
  byteOffset(index: number): number
  /** Private memory with the items that were in slots. */
  readonly memory: Uint8Array<ArrayBuffer>
  /** Calls `release()` of all items. */
  release(): void
  [Symbol.dispose](): void
}

/**
 * A slot that is being written in place. Items behind it in its band wait until it is published, so
 * write and publish without a pause; a participant can have one open at a time.
 */
export interface Claim {
  /** The slot, shared memory of the length that was asked for. Not to be used after publishing. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /**
   * Makes the item visible to consumers.
   * @param byteLength How much of `bytes` is the item. Default: all.
   */
  publish(byteLength?: number): void
  /** Gives the slot up; consumers skip it. */
  abandon(): void
  /** Abandons it unless it was published. */
  [Symbol.dispose](): void
}

/**
 * An item that grows in blocks of the arena, as its bytes arrive, and is then enqueued without
 * another copy. Drafts that grow while the arena is short can wait for each other: `reserve` the
 * whole length first where it is known, and give `write` a time limit where it is not.
 */
export interface Draft {
  /** Bytes written. */
  readonly byteLength: number
  /**
   * Takes blocks so that the draft can grow to `byteLength` without waiting.
   * @returns `false` if the arena is short, and nothing was taken
   * @throws {WorkQueueError} ERR_ITEM_TOO_LARGE if the whole arena is smaller
   */
  tryReserve(byteLength: number): boolean
  /** As `tryReserve`, waiting for blocks. Fulfilled with `false` only when the time is over. */
  reserve(byteLength: number, wait?: Wait): Promise<boolean>
  /** As `reserve`, blocking the thread. Workers only. */
  reserveSync(byteLength: number, wait?: TimedWait): boolean
  /**
   * Appends all of `chunk`.
   * @returns `false` if the arena is short, and nothing was written
   */
  tryWrite(chunk: Uint8Array): boolean
  /** As `tryWrite`, waiting for blocks; one call at a time. `false` only when the time is over. */
  write(chunk: Uint8Array, wait?: Wait): Promise<boolean>
  /** As `write`, blocking the thread. Workers only. */
  writeSync(chunk: Uint8Array, wait?: TimedWait): boolean
  /** Gives the blocks back. Harmless once the draft was enqueued. */
  discard(): void
  [Symbol.dispose](): void
}

/** One attached thread. */
export interface ParticipantInfo {
  participant: number
  /** `threadId` of `node:worker_threads`. */
  threadId: number
}

/** What a dead participant left, see {@link WorkQueue.reap}. */
export interface ReapReport {
  participant: number
  threadId: number
  /** Accepted items that it was about to take and nobody has seen: yours now, in order. */
  returned: WorkItem[]
  /**
   * Tags of the items that its last call of a `dequeue` form had taken out. They were delivered; how far the
   * thread had come with them only its owner can know. Of several calls pending at once only those of the one that was
   * served last are known, and none after another call has begun.
   */
  inHand: number[]
  /** Slots that it had claimed and not published: calls that never returned, so nothing accepted is lost. */
  abandoned: number
}

/**
 * A bounded queue between threads. Each thread has its own object for the same queue, made by
 * {@link createWorkQueue} or {@link attachWorkQueue}.
 *
 * There are three forms of waiting: `try…` waits for nobody but a thread that is at the very next slot, for about 5 ms at most;
 * `…Sync` blocks the thread and is for worker threads only (`ERR_MAIN_THREAD`); the plain name returns a promise. Items of
 * one producer come out in the order in which they were accepted, within a band. Consumers that have taken them run in
 * parallel.
 *
 * Each call that puts in throws or rejects with `ERR_QUEUE_CLOSED` after {@link WorkQueue.close}.
 */
export interface WorkQueue extends AsyncIterable<WorkItem> {
  /** Send it to other threads for {@link attachWorkQueue}. */
  readonly handle: WorkQueueHandle
  /** The number under which this object takes part, for {@link WorkQueue.reap}. */
  readonly participant: number
  readonly capacity: number
  readonly slotBytes: number
  readonly bands: number
  /** The longest item, in bytes. */
  readonly maxItemBytes: number

  /**
   * Puts an item in if there is room.
   * @returns `false` if the band holds `capacity` items or the arena is short. Also when another
   *   thread has stopped for milliseconds, or has died, in the middle of taking from the slot that
   *   is next.
   * @throws {WorkQueueError} ERR_QUEUE_CLOSED, ERR_ITEM_TOO_LARGE
   */
  tryEnqueue(source: Source, options?: EnqueueOptions): boolean
  /** Puts an item in, blocking the thread until there is room. `false` only when the time is over. */
  enqueueSync(source: Source, options?: EnqueueOptions & TimedWait): boolean
  /**
   * Puts an item in as soon as there is room; pending calls for a band are served in order. `false` only when
   * the time is over. Do not change the bytes before it settles.
   */
  enqueue(source: Source, options?: EnqueueOptions & Wait): Promise<boolean>

  /**
   * Puts in as many items as there is room for, from the front, all with the same options. What would throw for
   * an item behind the first, as one that is too large, ends it there and throws when that item is the first.
   * @returns how many
   */
  tryEnqueueMany(sources: readonly Source[], options?: EnqueueOptions): number
  /** Puts all items in, blocking the thread. Fewer when the time is over, or as `tryEnqueueMany`. */
  enqueueManySync(sources: readonly Source[], options?: EnqueueOptions & TimedWait): number
  /**
   * Puts all items in. Fewer when the time is over, or as `tryEnqueueMany`: it rejects, for an abort
   * and a `detach` too, only while none is in.
   */
  enqueueMany(sources: readonly Source[], options?: EnqueueOptions & Wait): Promise<number>

  /**
   * Claims a slot to write an item of up to `slotBytes` straight into it.
   * @returns `undefined` where `tryEnqueue` would return `false`
   * @throws {WorkQueueError} ERR_QUEUE_CLOSED, ERR_ITEM_TOO_LARGE, ERR_CLAIM_OPEN
   */
  tryClaim(byteLength: number, options?: EnqueueOptions): Claim | undefined
  /** As `tryClaim`, blocking the thread. `undefined` only when the time is over. */
  claimSync(byteLength: number, options?: EnqueueOptions & TimedWait): Claim | undefined
  /**
   * As `tryClaim`, waiting for room; pending calls for a band are served in order. The claim is open from its turn on,
   * a moment before the promise is fulfilled: pending puts of this object wait until it ends, as does a `claim` called
   * in that moment, and those that can't wait throw `ERR_CLAIM_OPEN`.
   */
  claim(byteLength: number, options?: EnqueueOptions & Wait): Promise<Claim | undefined>

  /** Starts an item that grows in the arena. */
  draft(): Draft

  /**
   * Wakes nobody for what this participant puts in from here to {@link WorkQueue.uncork}. For a few items at a
   * time that come one by one: to wake a thread takes far longer than to put an item in. Consumers that are
   * awake take items meanwhile; forms that wait uncork first.
   */
  cork(): void
  /** Wakes a consumer if there is something to take. Harmless without `cork`. */
  uncork(): void

  /** Takes the next item. `undefined` if there is none now, or the queue is closed and drained. */
  tryDequeue(): WorkItem | undefined
  /** Takes the next item, blocking the thread. `undefined`: closed and drained, or the time is over. */
  dequeueSync(wait?: TimedWait): WorkItem | undefined
  /** Takes the next item. `undefined`: closed and drained, or the time is over. */
  dequeue(wait?: Wait): Promise<WorkItem | undefined>

  /** Takes all items that are ready, up to `max`, of one band. `undefined` if there are none now. */
  tryDequeueMany(options?: DequeueManyOptions): WorkBatch | undefined
  /** Takes at least one item, blocking the thread. `undefined`: closed and drained, or time over. */
  dequeueManySync(options?: DequeueManyOptions & TimedWait): WorkBatch | undefined
  /** Takes at least one item. `undefined`: closed and drained, or the time is over. */
  dequeueMany(options?: DequeueManyOptions & Wait): Promise<WorkBatch | undefined>
  /** Takes items one after another until the queue is closed and drained. */
  [Symbol.asyncIterator](): AsyncIterator<WorkItem, undefined>

  /** Items that wait in all bands, claimed slots included; one of another thread's calls behind at most. */
  readonly depth: number
  /** Whether `close()` was called, by any thread. */
  readonly closed: boolean
  /** Whether the queue is closed and nothing is left to take. It stays so. */
  readonly drained: boolean
  /** A snapshot of the counters that all threads keep in shared memory. */
  stats(): WorkQueueStats

  /**
   * Refuses further items; consumers take what was accepted and are then told, all of them, in
   * every thread. Any participant may close; repeating it is harmless.
   */
  close(): void
  /**
   * Closes the queue and takes what is left, beside the consumers: each accepted item comes either to
   * one of them or is in the result. It waits for claims that are open, and for what a dead thread had claimed until that is
   * reaped. Fewer when the time is over, when it is aborted, or at a `detach`, as `drained` tells: for those two it rejects
   * only while it has taken none. The queue stays closed.
   */
  drain(wait?: Wait): Promise<WorkItem[]>

  /**
   * Ends this object's part: pending calls but `reap` reject with `ERR_DETACHED`, unless they have taken something out
   * already, with which they are fulfilled; an open claim is abandoned, blocks of drafts and items not released are given
   * back, and its number can be used again.
   */
  detach(): void
  [Symbol.dispose](): void

  /** Who takes part now. */
  participants(): ParticipantInfo[]
  /**
   * Cleans up after a participant whose thread has ended without `detach`: what it had claimed is settled,
   * its blocks are given back and waiting threads are woken. Call it after the worker's `exit` event and only then;
   * until somebody does, others may wait behind what the dead thread had claimed.
   *
   * @returns when every claim is settled. That can wait for a thread that is at the same slot at
   *   this moment, and, when that one has died too, for its own `reap`. After {@link WorkQueue.detach} it
   *   does not wait: the report has what was settled before, and somebody else has to reap the rest.
   */
  reap(participant: number): Promise<ReapReport>
  /**
   * Calls {@link WorkQueue.reap} for all participants of a thread, named by `worker.threadId`, but for those that this
   * object is reaping already. Where another object is at one still, the two share it: what was left is in one of their
   * reports.
   * @throws {RangeError} for -1, which is what a worker that has ended has for `threadId`, and what else is no such number
   */
  reapThread(threadId: number): Promise<ReapReport[]>
}

/**
 * Makes a queue and attaches the calling thread to it.
 *
 * @throws {RangeError} for an option out of its range
 */
export function createWorkQueue(options: WorkQueueOptions = {}): WorkQueue {
  return createSharedQueue(options)
}

/**
 * Attaches the calling thread to a queue made in another one. Each call gives a participant of its
 * own; once a thread is usual.
 *
 * @throws {WorkQueueError} ERR_HANDLE_INVALID, ERR_TOO_MANY_PARTICIPANTS
 */
export function attachWorkQueue(handle: WorkQueueHandle): WorkQueue {
  return attachSharedQueue(handle)
}
