import type { Chain } from './arena.ts'
import { refuseDetached } from './detached-bytes.ts'
import type { Memory } from './memory.ts'
import { WorkQueueError } from './errors.ts'
import type { Need } from './waiting.ts'
import type { Draft, TimedWait, Wait } from './work-queue.ts'

/** How a draft waits: the queue's own ways. */
export interface DraftWaiting {
  block(attempt: () => Need | undefined, wait: TimedWait | undefined): boolean
  wait(attempt: () => Need | undefined, wait: Wait | undefined): Promise<boolean>
}

/** An item that grows in the arena. */
export class ArenaDraft implements Draft {
  byteLength = 0
  readonly #memory: Memory
  readonly #waiting: DraftWaiting
  readonly #detached: () => boolean
  readonly #chain: Chain = []
  #state: 'open' | 'spent' = 'open'

  constructor(memory: Memory, waiting: DraftWaiting, detached: () => boolean) {
    this.#memory = memory
    this.#waiting = waiting
    this.#detached = detached
  }

  /** Whether its blocks lie in this queue's arena, for this participant. */
  belongsTo(memory: Memory): boolean {
    return this.#memory === memory
  }

  /** Its chain, for a slot; `undefined` if it is empty. */
  get first(): number | undefined {
    this.#checkOpen()
    return this.#chain[0]
  }

  /** Gives back what was reserved and not written. */
  trim(): void {
    this.#memory.arena.shrink(this.#chain, this.#memory.arena.blocksFor(this.byteLength))
  }

  /** Notes that the chain is the queue's now. */
  spend(): void {
    this.#state = 'spent'
    this.#chain.length = 0
  }

  tryReserve(byteLength: number): boolean {
    return this.#attemptReserve(byteLength) === undefined
  }

  reserve(byteLength: number, wait?: Wait): Promise<boolean> {
    return this.#waiting.wait(() => this.#attemptReserve(byteLength), wait)
  }

  reserveSync(byteLength: number, wait?: TimedWait): boolean {
    return this.#waiting.block(() => this.#attemptReserve(byteLength), wait)
  }

  tryWrite(chunk: Uint8Array): boolean {
    return this.attemptWrite(chunk) === undefined
  }

  write(chunk: Uint8Array, wait?: Wait): Promise<boolean> {
    return this.#waiting.wait(() => this.attemptWrite(chunk), wait)
  }

  writeSync(chunk: Uint8Array, wait?: TimedWait): boolean {
    return this.#waiting.block(() => this.attemptWrite(chunk), wait)
  }

  discard(): void {
    // What was detached has given all its blocks back; they may be another's by now.
    if (this.#state === 'open' && !this.#detached()) this.#memory.arena.shrink(this.#chain, 0)
    this.#state = 'spent'
  }

  [Symbol.dispose](): void {
    this.discard()
  }

  /** Appends a chunk, or says what to wait for. */
  attemptWrite(chunk: Uint8Array): Need | undefined {
    if (!(chunk instanceof Uint8Array))
      throw new TypeError('Cannot write to a draft: no Uint8Array')
    // Each time: a call that waits lets others transfer the bytes meanwhile.
    refuseDetached(chunk)
    const need = this.#attemptReserve(this.byteLength + chunk.byteLength)
    if (need !== undefined) return need
    this.#memory.arena.write(this.#chain, this.byteLength, chunk)
    this.byteLength += chunk.byteLength
    return undefined
  }

  #attemptReserve(byteLength: number): Need | undefined {
    this.#checkOpen()
    if (!Number.isInteger(byteLength) || byteLength < 0) {
      throw new RangeError(`Cannot reserve ${byteLength} bytes: an integer of 0 or more is needed`)
    }
    const { arena } = this.#memory
    if (byteLength > arena.maxBytes) {
      throw new WorkQueueError(
        'ERR_ITEM_TOO_LARGE',
        `Cannot hold an item of ${byteLength} bytes: arenaBytes is ${arena.maxBytes}`,
      )
    }
    if (this.#memory.closed) {
      throw new WorkQueueError('ERR_QUEUE_CLOSED', 'Cannot write to a draft: the queue is closed')
    }
    const missing = arena.blocksFor(byteLength) - this.#chain.length
    if (missing <= 0 || arena.grow(this.#chain, missing)) return undefined
    return this.#memory.blocksNeed(missing)
  }

  #checkOpen(): void {
    if (this.#detached()) {
      throw new WorkQueueError('ERR_DETACHED', 'Cannot use a draft: its queue object was detached')
    }
    if (this.#state === 'open') return
    throw new TypeError('Cannot use a draft again: it was enqueued or discarded')
  }
}
