import { performance } from 'node:perf_hooks'
import { isMainThread, threadId as ownThreadId } from 'node:worker_threads'
import { AsyncWaiting, HOLD, Line } from './async-waiting.ts'
import type { Attempt } from './async-waiting.ts'
import { Blocking } from './block.ts'
import { SlotClaim } from './claim.ts'
import { Consumer } from './consumer.ts'
import { ArenaDraft } from './draft.ts'
import type { DraftWaiting } from './draft.ts'
import { WorkQueueError } from './errors.ts'
import { BAND, CELL, MAX_BATCH, SLOT, bandAt, format, layoutOf, readSizes } from './layout.ts'
import type { Layout } from './layout.ts'
import { readHistogram } from './histogram.ts'
import type { Batch, ChainItem, SlotItem } from './item.ts'
import { Memory } from './memory.ts'
import { resolveSizes } from './options.ts'
import { NEIGHBOUR_LOOKS, Patience } from './patience.ts'
import { join, leave, listParticipants, numbersOf, sumTotals } from './participants.ts'
import { DONE, Producer } from './producer.ts'
import { Reaper } from './reap.ts'
import { BUSY, CLOSED, isOutcome } from './ring.ts'
import { look } from './spin.ts'
import type { WorkQueueStats } from './stats.ts'
import { Rest, Underway } from './underway.ts'
import type { Need } from './waiting.ts'
import type {
  Claim,
  DequeueManyOptions,
  Draft,
  EnqueueOptions,
  ParticipantInfo,
  ReapReport,
  Source,
  TimedWait,
  Wait,
  WorkBatch,
  WorkItem,
  WorkQueue,
  WorkQueueHandle,
  WorkQueueOptions,
} from './work-queue.ts'

const HANDLE_TYPE = 'elkyn.work-queue'

/** Makes the memory of a queue and attaches to it. @param firstPosition for tests of the wrap */
export function createSharedQueue(options: WorkQueueOptions, firstPosition = 0): WorkQueue {
  const layout = layoutOf(resolveSizes(options))
  const buffer = new SharedArrayBuffer(layout.totalBytes)
  format(new Int32Array(buffer, 0, layout.blocks), layout, firstPosition)
  return new SharedQueue(buffer, layout)
}

/** Attaches to the memory that a handle carries. */
export function attachSharedQueue(handle: WorkQueueHandle): WorkQueue {
  // It came by a message: its type is a hope.
  const { type, buffer }: Partial<WorkQueueHandle> = handle ?? {}
  if (type === HANDLE_TYPE && buffer instanceof SharedArrayBuffer && buffer.byteLength > 64) {
    const sizes = readSizes(new Int32Array(buffer, 0, 16))
    const layout = sizes && layoutOf(sizes)
    if (layout !== undefined && layout.totalBytes === buffer.byteLength) {
      return new SharedQueue(buffer, layout)
    }
  }
  throw new WorkQueueError(
    'ERR_HANDLE_INVALID',
    'Cannot attach to a queue: this is not a handle made by this version of the package',
  )
}

class SharedQueue implements WorkQueue {
  readonly handle: WorkQueueHandle
  readonly participant: number
  readonly capacity: number
  readonly slotBytes: number
  readonly bands: number
  readonly maxItemBytes: number

  readonly #memory: Memory
  readonly #producer: Producer
  readonly #consumer: Consumer
  readonly #reaper: Reaper
  /** The numbers that this object is reaping. */
  readonly #reaping = new Set<number>()
  readonly #blocking = new Blocking()
  readonly #waiting = new AsyncWaiting()
  /** Pending puts, by band; pending takes. */
  readonly #puts: readonly Line[]
  readonly #takes: Line
  readonly #underway = new Underway()
  #claim: SlotClaim | undefined
  /** Whether the open claim is that of a call of `claim` whose promise is not fulfilled yet. */
  #isHandingOver = false
  #detached = false
  readonly #isDetached = (): boolean => this.#detached

  constructor(buffer: SharedArrayBuffer, layout: Layout) {
    const words = new Int32Array(buffer, 0, layout.blocks)
    this.participant = join(words, layout, ownThreadId)
    if (this.participant === -1) {
      throw new WorkQueueError(
        'ERR_TOO_MANY_PARTICIPANTS',
        `Cannot attach to a queue: maxParticipants is ${layout.maxParticipants}, detach or reap one`,
      )
    }
    this.#memory = new Memory(words, new Uint8Array(buffer), layout, this.participant)
    this.#producer = new Producer(this.#memory)
    this.#consumer = new Consumer(this.#memory, this.#isDetached)
    this.#reaper = new Reaper(this.#memory)
    this.#puts = this.#memory.rings.map(() => new Line(this.#waiting))
    this.#takes = new Line(this.#waiting)
    this.handle = { type: HANDLE_TYPE, buffer }
    this.capacity = layout.capacity
    this.slotBytes = (layout.slotWords - SLOT.BYTES) * 4
    this.bands = layout.bands
    this.maxItemBytes = Math.max(this.slotBytes, this.#memory.arena.maxBytes)
  }

  tryEnqueue(source: Source, options: EnqueueOptions = {}): boolean {
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    this.#checkNoClaim()
    if (this.#producer.fitsSlot(source)) return this.#tryPut(source, band, tag)
    return this.#tryPutLong(source, band, tag, new Patience())
  }

  enqueueSync(source: Source, options: EnqueueOptions & TimedWait = {}): boolean {
    this.#checkMayBlock('enqueueSync')
    this.uncork()
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    this.#checkNoClaim()
    if (this.#producer.fitsSlot(source)) {
      // The usual case without a closure.
      if (this.#settle(this.#producer.put(source, band, tag))) return true
    }
    const put = this.#putting(source, band, tag)
    const done = this.#guarded(put, () => this.#blocking.until(put.attempt, timeoutOf(options)))
    if (!done) put.giveUp()
    return done
  }

  async enqueue(source: Source, options: EnqueueOptions & Wait = {}): Promise<boolean> {
    this.uncork()
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    options.signal?.throwIfAborted()
    timeoutOf(options)
    const line = this.#puts[band] as Line
    if (line.isEmpty && this.#claim === undefined && this.#producer.fitsSlot(source)) {
      if (this.#settle(this.#producer.put(source, band, tag))) {
        const turn = this.#waiting.turns.due()
        if (turn !== undefined) await turn
        return true
      }
    }
    const put = this.#putting(source, band, tag)
    let done = false
    try {
      done = await line.add(this.#unlessClaimed(put.attempt), options)
    } finally {
      if (!done) put.giveUp()
    }
    return done
  }

  tryEnqueueMany(sources: readonly Source[], options: EnqueueOptions = {}): number {
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    this.#checkNoClaim()
    const patience = new Patience()
    let done = 0
    try {
      while (done < sources.length) {
        const source = sources[done] as Source
        if (this.#producer.fitsSlot(source)) {
          const count = this.#producer.putMany(sources as Uint8Array[], done, band, tag)
          if (count > 0) done += count
          else if (-count === CLOSED) throw closed()
          else if (-count !== BUSY || !this.#awaitSlot(band, patience)) return done
        } else {
          if (!this.#tryPutLong(source, band, tag, patience)) return done
          done++
        }
      }
    } catch (error) {
      // What is in is in: the caller has to know how much.
      if (done === 0) throw error
    }
    return done
  }

  enqueueManySync(sources: readonly Source[], options: EnqueueOptions & TimedWait = {}): number {
    this.#checkMayBlock('enqueueManySync')
    this.uncork()
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    this.#checkNoClaim()
    const puts = this.#puttingMany(sources, band, tag)
    try {
      this.#blocking.until(puts.attempt, timeoutOf(options))
    } catch (error) {
      if (puts.done === 0) throw error
    } finally {
      puts.giveUp()
    }
    return puts.done
  }

  async enqueueMany(
    sources: readonly Source[],
    options: EnqueueOptions & Wait = {},
  ): Promise<number> {
    this.uncork()
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    timeoutOf(options)
    const puts = this.#puttingMany(sources, band, tag)
    try {
      await (this.#puts[band] as Line).add(this.#unlessClaimed(puts.attempt), options)
    } catch (error) {
      if (puts.done === 0) throw error
    } finally {
      puts.giveUp()
    }
    return puts.done
  }

  tryClaim(byteLength: number, options: EnqueueOptions = {}): Claim | undefined {
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    this.#checkNoClaim()
    this.#checkClaimBytes(byteLength)
    const patience = new Patience()
    let position = this.#producer.claim(band)
    while (position === BUSY && this.#awaitSlot(band, patience)) {
      position = this.#producer.claim(band)
    }
    return this.#openClaim(position, byteLength, options)
  }

  claimSync(byteLength: number, options: EnqueueOptions & TimedWait = {}): Claim | undefined {
    this.#checkMayBlock('claimSync')
    this.uncork()
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    this.#checkNoClaim()
    this.#checkClaimBytes(byteLength)
    let position = 0
    const done = this.#blocking.until(() => {
      position = this.#producer.claim(band)
      return isOutcome(position) && position !== CLOSED ? this.#spaceNeed(band) : undefined
    }, timeoutOf(options))
    return done ? this.#openClaim(position, byteLength, options) : undefined
  }

  async claim(byteLength: number, options: EnqueueOptions & Wait = {}): Promise<Claim | undefined> {
    this.uncork()
    const { band = 0, tag = 0 } = options
    this.#check(band, tag)
    if (!this.#isHandingOver) this.#checkNoClaim()
    this.#checkClaimBytes(byteLength)
    timeoutOf(options)
    const line = this.#puts[band] as Line
    let claim: Claim | undefined
    // Not within the call, behind which the caller may block before it can publish anything.
    let isCalled = false
    queueMicrotask(() => {
      isCalled = true
      line.pump()
    })
    // Claims in its turn, so that nobody behind it in the line can take the slot before it.
    const attempt = (): Need | typeof HOLD | undefined => {
      if (!isCalled) return HOLD
      claim = this.#openClaim(this.#producer.claim(band), byteLength, options)
      if (claim === undefined) return this.#spaceNeed(band)
      this.#isHandingOver = true
      return undefined
    }
    // Until it is published, everybody waits for it.
    const done = await line.add(this.#unlessClaimed(attempt), options, false)
    if (!done) return undefined
    this.#isHandingOver = false
    // Between the line and this turn the object may have been detached, and the claim abandoned.
    this.#checkAttached()
    return claim
  }

  cork(): void {
    this.#checkAttached()
    this.#memory.cork()
  }

  uncork(): void {
    this.#memory.uncork()
  }

  draft(): Draft {
    this.#checkAttached()
    return this.#newDraft()
  }

  tryDequeue(): WorkItem | undefined {
    this.#beginTake()
    const item = this.#consumer.take()
    if (item !== undefined || this.#consumer.outcome !== BUSY) return item
    look(this.#memory.itemsNeed, NEIGHBOUR_LOOKS)
    return this.#consumer.take()
  }

  dequeueSync(wait: TimedWait = {}): WorkItem | undefined {
    this.#checkMayBlock('dequeueSync')
    this.#beginTake()
    let item = this.#consumer.take()
    if (item !== undefined) return item
    this.#blocking.until(() => {
      item = this.#consumer.take()
      return this.#orNeedItems(item)
    }, timeoutOf(wait))
    return item
  }

  async dequeue(wait: Wait = {}): Promise<WorkItem | undefined> {
    this.#beginTake()
    wait.signal?.throwIfAborted()
    timeoutOf(wait)
    let item: SlotItem | ChainItem | undefined
    const attempt = (): Need | undefined => {
      item = this.#consumer.take()
      this.#underway.add(item)
      return this.#orNeedItems(item)
    }
    const taking = this.#takeInLine(attempt, wait)
    if (taking !== undefined) await taking
    this.#underway.hand(item)
    return item
  }

  tryDequeueMany(options: DequeueManyOptions = {}): WorkBatch | undefined {
    const max = maxOf(options)
    this.#beginTake()
    const batch = this.#consumer.takeMany(max)
    if (batch !== undefined || this.#consumer.outcome !== BUSY) return batch
    look(this.#memory.itemsNeed, NEIGHBOUR_LOOKS)
    return this.#consumer.takeMany(max)
  }

  dequeueManySync(options: DequeueManyOptions & TimedWait = {}): WorkBatch | undefined {
    this.#checkMayBlock('dequeueManySync')
    const max = maxOf(options)
    this.#beginTake()
    let batch: WorkBatch | undefined
    this.#blocking.until(() => {
      batch = this.#consumer.takeMany(max)
      return this.#orNeedItems(batch)
    }, timeoutOf(options))
    return batch
  }

  async dequeueMany(options: DequeueManyOptions & Wait = {}): Promise<Batch | undefined> {
    const max = maxOf(options)
    this.#beginTake()
    options.signal?.throwIfAborted()
    timeoutOf(options)
    let batch: Batch | undefined
    const attempt = (): Need | undefined => {
      batch = this.#consumer.takeMany(max)
      this.#underway.add(batch)
      return this.#orNeedItems(batch)
    }
    const taking = this.#takeInLine(attempt, options)
    if (taking !== undefined) await taking
    this.#underway.hand(batch)
    return batch
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WorkItem, undefined> {
    for (;;) {
      const item = await this.dequeue()
      if (item === undefined) return undefined
      yield item
    }
  }

  get depth(): number {
    return this.#memory.rings.reduce((sum, ring) => sum + ring.depth, 0)
  }

  get closed(): boolean {
    return this.#memory.closed
  }

  get drained(): boolean {
    return this.#memory.drained
  }

  stats(): WorkQueueStats {
    const { words, layout, rings, arena } = this.#memory
    return {
      enqueued: sumTotals(words, layout, CELL.ENQUEUED),
      dequeued: sumTotals(words, layout, CELL.DEQUEUED),
      bands: rings.map((ring) => ({
        depth: ring.depth,
        highWater: ring.highWater,
        waits: readHistogram(words, bandAt(layout, ring.band) + BAND.WAITS),
      })),
      blocks: { total: arena.blockCount, free: arena.countFree() },
    }
  }

  close(): void {
    this.#checkAttached()
    this.#memory.close()
  }

  async drain(wait: Wait = {}): Promise<WorkItem[]> {
    const { signal } = wait
    signal?.throwIfAborted()
    const end = performance.now() + timeoutOf(wait)
    this.close()
    const rest = new Rest()
    this.#underway.add(rest)
    try {
      for (;;) {
        const timeoutMs = Math.max(0, end - performance.now())
        const batch = await this.dequeueMany(signal ? { timeoutMs, signal } : { timeoutMs })
        if (batch === undefined) break
        // In the same turn as the batch came: so its items are noted all the time.
        for (const item of batch) rest.items.push(item)
      }
    } catch (error) {
      // What was taken nobody else has.
      if (rest.items.length === 0) throw error
    } finally {
      this.#underway.hand(rest)
    }
    return rest.items
  }

  detach(): void {
    this.uncork()
    if (this.#detached) return
    // First of all: where there is no memory for that, nothing has happened yet.
    this.#underway.copyOut()
    // In this order: the end of a claim lets pending calls go on, and one of them may open the next.
    this.#waiting.end(detached())
    this.#claim?.abandon()
    const { isPutting, isTaking } = this.#memory
    const cutShort = isPutting || isTaking ? this.#reaper.begin(this.participant) : undefined
    // A call has ended in the middle, as by a stack overflow, and left what a dead thread leaves: the rest of it, if
    // there is one, somebody else has to reap.
    if (cutShort !== undefined) this.#reaper.step(cutShort)
    this.#detached = true
    if (cutShort !== undefined) return
    this.#memory.arena.freeAllOf(this.participant)
    leave(this.#memory.words, this.#memory.layout, this.participant)
  }

  [Symbol.dispose](): void {
    this.detach()
  }

  participants(): ParticipantInfo[] {
    return listParticipants(this.#memory.words, this.#memory.layout)
  }

  async reap(participant: number): Promise<ReapReport> {
    const nothing = { participant, threadId: -1, returned: [], inHand: [], abandoned: 0 }
    return (await this.#reap(participant)) ?? nothing
  }

  async reapThread(threadId: number): Promise<ReapReport[]> {
    if (!Number.isInteger(threadId) || threadId < 0) {
      throw new RangeError(
        `Cannot reap thread ${threadId}: the threadId of a worker is needed, from before it has ended`,
      )
    }
    const { words, layout } = this.#memory
    // Somebody may have begun and been cut short. What this object is at itself stays with the first call.
    const dead = numbersOf(words, layout, threadId).filter((number) => !this.#reaping.has(number))
    const reports = await Promise.all(dead.map((number) => this.#reap(number, threadId)))
    return reports.filter((report) => report !== undefined)
  }

  async #reap(participant: number, ofThread?: number): Promise<ReapReport | undefined> {
    this.#checkAttached()
    const { maxParticipants } = this.#memory.layout
    if (!Number.isInteger(participant) || participant < 0 || participant >= maxParticipants) {
      throw new RangeError(`Cannot reap participant ${participant}: there is no such number`)
    }
    if (participant === this.participant) {
      throw new TypeError('Cannot reap the own participant: it is alive, detach it')
    }
    const report = this.#reaper.begin(participant, ofThread)
    if (report === undefined) return undefined
    this.#reaping.add(participant)
    try {
      while (!this.#detached && !this.#reaper.step(report)) {
        await new Promise((resolve) => {
          setTimeout(resolve, 1)
        })
      }
    } finally {
      this.#reaping.delete(participant)
    }
    if (!this.#detached) this.#waiting.pumpAll()
    return report
  }

  /** The `try` form of a put that fits a slot. */
  #tryPut(bytes: Uint8Array, band: number, tag: number): boolean {
    let patience: Patience | undefined
    for (;;) {
      const outcome = this.#producer.put(bytes, band, tag)
      if (outcome !== BUSY) return this.#settle(outcome)
      if (!this.#awaitSlot(band, (patience ??= new Patience()))) return false
    }
  }

  /** The `try` form of a put that needs blocks. */
  #tryPutLong(source: Source, band: number, tag: number, patience: Patience): boolean {
    // Not worth a copy into blocks when there is no slot.
    if (!this.#awaitSlot(band, patience)) return false
    const draft = this.#tryDraft(source)
    if (draft === undefined) return false
    let done = false
    try {
      let outcome = this.#producer.putDraft(draft, band, tag)
      // While it was copied, others were in between.
      while (outcome === BUSY && this.#awaitSlot(band, patience)) {
        outcome = this.#producer.putDraft(draft, band, tag)
      }
      done = this.#settle(outcome)
    } finally {
      if (!done && draft !== source) draft.discard()
    }
    return done
  }

  /** Waits while the next slot is busy, not while the band is full. @returns whether it is free */
  #awaitSlot(band: number, patience: Patience): boolean {
    const need = this.#spaceNeed(band)
    if (need.ready() || this.#memory.ring(band).isFull) return need.ready()
    return patience.awaits(need)
  }

  #tryDraft(source: Source): ArenaDraft | undefined {
    if (!(source instanceof Uint8Array)) return this.#ownDraft(source)
    const draft = this.#newDraft()
    return draft.tryWrite(source) ? draft : undefined
  }

  /** A put that may have to wait, first for blocks and then for a slot. */
  #putting(source: Source, band: number, tag: number): Putting {
    if (this.#producer.fitsSlot(source)) {
      return {
        attempt: () =>
          this.#settle(this.#producer.put(source, band, tag)) ? undefined : this.#spaceNeed(band),
        giveUp: () => undefined,
      }
    }
    const bytes = source instanceof Uint8Array ? source : undefined
    const draft = source instanceof Uint8Array ? this.#newDraft() : this.#ownDraft(source)
    let written = bytes === undefined
    return {
      attempt: () => {
        if (this.closed) throw closed()
        if (bytes !== undefined && !written) {
          const need = draft.attemptWrite(bytes)
          if (need !== undefined) return need
          written = true
        }
        const done = this.#settle(this.#producer.putDraft(draft, band, tag))
        return done ? undefined : this.#spaceNeed(band)
      },
      // A draft of the caller's stays the caller's.
      giveUp: () => draft !== source && draft.discard(),
    }
  }

  #puttingMany(sources: readonly Source[], band: number, tag: number): Putting & { done: number } {
    let single: Putting | undefined
    const putting = {
      done: 0,
      attempt: (): Need | undefined => {
        while (putting.done < sources.length) {
          const source = sources[putting.done] as Source
          if (this.#producer.fitsSlot(source)) {
            const count = this.#producer.putMany(sources as Uint8Array[], putting.done, band, tag)
            if (count > 0) {
              putting.done += count
              continue
            }
            if (-count !== CLOSED) return this.#spaceNeed(band)
            if (putting.done === 0) throw closed()
            return undefined
          }
          if (putting.done > 0 && this.closed) return undefined
          single ??= this.#putting(source, band, tag)
          const need = single.attempt()
          if (need !== undefined) return need
          single = undefined
          putting.done++
        }
        return undefined
      },
      giveUp: () => single?.giveUp(),
    }
    return putting
  }

  /** Gives up what an attempt holds when it throws. */
  #guarded(put: Putting, run: () => boolean): boolean {
    try {
      return run()
    } catch (error) {
      put.giveUp()
      throw error
    }
  }

  #unlessClaimed(attempt: Attempt): Attempt {
    return () => (this.#claim === undefined ? attempt() : HOLD)
  }

  #openClaim(
    position: number,
    byteLength: number,
    { band = 0, tag = 0 }: EnqueueOptions,
  ): Claim | undefined {
    if (position === CLOSED) throw closed()
    if (isOutcome(position)) return undefined
    const ring = this.#memory.ring(band)
    const at = (ring.slotOf(position) + SLOT.BYTES) * 4
    const bytes = this.#memory.bytes.subarray(at, at + byteLength)
    this.#claim = new SlotClaim(bytes, (publishedBytes) => {
      this.#claim = undefined
      if (publishedBytes === undefined) this.#producer.abandonClaim(ring, position)
      else this.#producer.publishClaim(ring, position, publishedBytes, tag)
      this.#waiting.pumpAll(this.#puts[band])
    })
    return this.#claim
  }

  #newDraft(): ArenaDraft {
    const waiting: DraftWaiting = {
      block: (attempt, wait) => {
        this.#checkMayBlock('a draft')
        this.uncork()
        return this.#blocking.until(attempt, timeoutOf(wait))
      },
      wait: async (attempt, wait) => {
        this.#checkAttached()
        this.uncork()
        timeoutOf(wait)
        return new Line(this.#waiting).add(attempt, wait)
      },
    }
    return new ArenaDraft(this.#memory, waiting, this.#isDetached)
  }

  #ownDraft(draft: Draft): ArenaDraft {
    if (draft instanceof ArenaDraft && draft.belongsTo(this.#memory)) return draft
    throw new TypeError('Cannot enqueue: neither a Uint8Array nor a draft of this object')
  }

  /** Takes at once where nobody is before it, which is the usual case and needs no place in the line. */
  #takeInLine(attempt: Attempt, wait: Wait): Promise<unknown> | undefined {
    if (!this.#takes.isEmpty || attempt() !== undefined) return this.#takes.add(attempt, wait)
    return this.#waiting.turns.due()
  }

  #spaceNeed(band: number): Need {
    return this.#memory.spaceNeeds[band] as Need
  }

  #orNeedItems(taken: unknown): Need | undefined {
    if (taken !== undefined || this.#consumer.outcome === CLOSED) return undefined
    return this.#memory.itemsNeed
  }

  /** @returns whether an outcome is DONE. @throws for CLOSED */
  #settle(outcome: number): boolean {
    if (outcome === CLOSED) throw closed()
    return outcome === DONE
  }

  #beginTake(): void {
    this.#checkAttached()
    if (this.#memory.isTaking) this.#endCutShort()
    this.#memory.clearHand()
  }

  #check(band: number, tag: number): void {
    this.#checkAttached()
    if (this.#claim === undefined && this.#memory.isPutting) this.#endCutShort()
    if (!Number.isInteger(band) || band < 0 || band >= this.bands) {
      throw new RangeError(`Cannot enqueue into band ${band}: there are ${this.bands}, from 0`)
    }
    if (tag >>> 0 !== tag) {
      throw new RangeError(`Cannot enqueue with tag ${tag}: it has to be an integer below 2^32`)
    }
  }

  #checkNoClaim(): void {
    if (this.#claim !== undefined) throw claimOpen()
  }

  #checkClaimBytes(byteLength: number): void {
    if (!Number.isInteger(byteLength) || byteLength < 0) {
      throw new RangeError(`Cannot claim ${byteLength} bytes: an integer of 0 or more is needed`)
    }
    if (byteLength <= this.slotBytes) return
    throw new WorkQueueError(
      'ERR_ITEM_TOO_LARGE',
      `Cannot claim ${byteLength} bytes: slotBytes is ${this.slotBytes}, use a draft`,
    )
  }

  #checkMayBlock(form: string): void {
    this.#checkAttached()
    if (!isMainThread) return
    throw new WorkQueueError(
      'ERR_MAIN_THREAD',
      `Cannot block the main thread with ${form}: use the form that returns a promise, or a try form`,
    )
  }

  /** A call before this one has ended in the middle: what it has left nobody could find behind another one. */
  #endCutShort(): never {
    this.detach()
    throw new WorkQueueError(
      'ERR_DETACHED',
      'Cannot use the queue: a call of this object was cut short, as by a stack overflow, and it was detached',
    )
  }

  #checkAttached(): void {
    if (this.#detached) throw detached()
  }
}

/** A put under way. */
interface Putting {
  attempt: () => Need | undefined
  giveUp: () => void
}

function timeoutOf({ timeoutMs = Infinity }: TimedWait = {}): number {
  if (timeoutMs >= 0) return timeoutMs
  throw new RangeError(`Cannot wait for ${timeoutMs} ms: timeoutMs has to be 0 or more`)
}

function maxOf({ max = MAX_BATCH }: DequeueManyOptions): number {
  if (Number.isInteger(max) && max >= 1 && max <= MAX_BATCH) return max
  throw new RangeError(`Cannot take ${max} items at once: max has to be from 1 to ${MAX_BATCH}`)
}

function closed(): WorkQueueError {
  return new WorkQueueError('ERR_QUEUE_CLOSED', 'Cannot enqueue: the queue is closed')
}

function detached(): WorkQueueError {
  return new WorkQueueError('ERR_DETACHED', 'Cannot use the queue: this object was detached')
}

function claimOpen(): WorkQueueError {
  return new WorkQueueError(
    'ERR_CLAIM_OPEN',
    'Cannot put in another item: publish or abandon the open claim first',
  )
}
