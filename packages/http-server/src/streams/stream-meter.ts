/** Counts what streams do, since the server was made. */
export class StreamMeter {
  readonly #maxPendingBytes: number
  /** Streams that are open. */
  open = 0
  /** Subscriptions of all of them. */
  subscriptions = 0
  /** Events that were sent, each time that one was. */
  events = 0
  /** Bytes of them. */
  bytes = 0
  /** Times that a client was too slow, and what waited for it was replaced. */
  fallenBehind = 0
  /** Streams that went on behind an event. */
  resumes = 0
  /** Streams that wanted to, where the change log does not reach back so far. */
  resumesLost = 0
  /** Bytes that wait for clients which have to take them. */
  pendingBytes = 0
  /** Bytes of events of several subscriptions that will be sent to their clients, each of them when its turn comes. */
  gatheredBytes = 0

  constructor(maxPendingBytes: number = Infinity) {
    this.#maxPendingBytes = maxPendingBytes
  }

  /** How much may be added, in bytes. */
  get roomBytes(): number {
    return this.#maxPendingBytes - this.pendingBytes - this.gatheredBytes
  }

  /** Whether so much waits for all clients together that nothing may be added. */
  get isFull(): boolean {
    return this.roomBytes <= 0
  }

  /** Whether there is no room for so much, and less than for half of all that may wait. */
  isShort(bytes: number): boolean {
    return this.roomBytes < Math.min(bytes, this.#maxPendingBytes / 2)
  }
}
