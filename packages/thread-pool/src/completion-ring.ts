// Completions travel in a ring for each thread: the thread writes, the pool reads, nobody else. What a dead thread left
// half-written was not published, and hides nobody else's answers.
//
//   offset  width  meaning                                                     written by
//   0       4      tail: bytes published, modulo 2^32                          thread
//   64      4      head: bytes read, modulo 2^32                               pool
//   128     2^n    records, each a multiple of 8 bytes, never split by the end
//
//   record  0      4  payload length in bytes, or -1: go on at the start of the ring
//           4      4  tag of the task
//           8      4  outcome << 8 | kind of the value
//           12     4  time running, in microseconds
//           16     8  when it was started, on the clock that threads share, as a double
//           24        payload
//
//   R1  tail - head is at most the capacity; both are multiples of 8, and the capacity divides 2^32, so that
//       the wrap of the counters does not show.
//   R2  The bytes of a record are plain writes. The store of tail publishes them, the store of head gives them back.
const tailWord = 0
const headWord = 16
const dataOffset = 128

/** Bytes of a record before its payload. */
const recordHeaderBytes = 24

/** The writing side. */
export class CompletionWriter {
  /** The memory to write a payload into, from the offset that {@link CompletionWriter.claim} returned. */
  readonly bytes: Buffer
  readonly #control: Int32Array
  readonly #records: Int32Array
  readonly #times: Float64Array
  readonly #capacity: number
  #tail: number
  // The last head that was seen: the true one is at or beyond it.
  #head: number
  #claimed = 0

  constructor(buffer: SharedArrayBuffer) {
    this.#capacity = buffer.byteLength - dataOffset
    this.#control = new Int32Array(buffer, 0, dataOffset / 4)
    this.#records = new Int32Array(buffer, dataOffset, this.#capacity / 4)
    this.#times = new Float64Array(buffer, dataOffset, this.#capacity / 8)
    this.bytes = Buffer.from(buffer, dataOffset, this.#capacity)
    this.#tail = Atomics.load(this.#control, tailWord)
    this.#head = Atomics.load(this.#control, headWord)
  }

  /** The longest payload that a ring takes: longer ones would make others wait for too long. */
  get maxPayloadBytes(): number {
    return this.#capacity / 4 - recordHeaderBytes
  }

  /** @returns where the payload goes, or -1 if there is no room now */
  claim(payloadBytes: number): number {
    const size = (recordHeaderBytes + payloadBytes + 7) & ~7
    const start = this.#tail & (this.#capacity - 1)
    const skip = start + size > this.#capacity ? this.#capacity - start : 0
    if (((this.#tail + skip + size - this.#head) | 0) > this.#capacity) {
      this.#head = Atomics.load(this.#control, headWord)
      if (((this.#tail + skip + size - this.#head) | 0) > this.#capacity) return -1
    }
    if (skip > 0) this.#records[start >> 2] = -1
    this.#tail = (this.#tail + skip) | 0
    this.#claimed = size
    return (this.#tail & (this.#capacity - 1)) + recordHeaderBytes
  }

  /** Publishes what was claimed last. */
  publish(payloadBytes: number, tag: number, kind: number, startedAt: number, runUs: number): void {
    const word = (this.#tail & (this.#capacity - 1)) >> 2
    this.#records[word] = payloadBytes
    this.#records[word + 1] = tag
    this.#records[word + 2] = kind
    this.#records[word + 3] = runUs
    this.#times[(word >> 1) + 2] = startedAt
    this.#tail = (this.#tail + this.#claimed) | 0
    Atomics.store(this.#control, tailWord, this.#tail)
  }
}

/** What is told of each record. The payload lies at `start` to `end` in `bytes` until the call returns. */
export type CompletionListener = (
  tag: number,
  kind: number,
  startedAt: number,
  runUs: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void

/** The reading side, which makes the ring. */
export class CompletionReader {
  readonly buffer: SharedArrayBuffer
  readonly #control: Int32Array
  readonly #records: Int32Array
  readonly #times: Float64Array
  readonly #bytes: Buffer
  readonly #capacity: number
  #head = 0

  /** @param capacity a power of two, in bytes */
  constructor(capacity: number) {
    this.#capacity = capacity
    this.buffer = new SharedArrayBuffer(dataOffset + capacity)
    this.#control = new Int32Array(this.buffer, 0, dataOffset / 4)
    this.#records = new Int32Array(this.buffer, dataOffset, capacity / 4)
    this.#times = new Float64Array(this.buffer, dataOffset, capacity / 8)
    this.#bytes = Buffer.from(this.buffer, dataOffset, capacity)
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#control, tailWord) === this.#head
  }

  /**
   * Reads up to `limit` records.
   * @returns how many there were
   */
  read(limit: number, listener: CompletionListener): number {
    const tail = Atomics.load(this.#control, tailWord)
    const records = this.#records
    let count = 0
    while (this.#head !== tail && count < limit) {
      const start = this.#head & (this.#capacity - 1)
      const word = start >> 2
      const length = records[word] ?? 0
      if (length === -1) {
        this.#head = (this.#head + this.#capacity - start) | 0
        continue
      }
      const from = start + recordHeaderBytes
      listener(
        (records[word + 1] ?? 0) >>> 0,
        records[word + 2] ?? 0,
        this.#times[(word >> 1) + 2] ?? 0,
        (records[word + 3] ?? 0) >>> 0,
        this.#bytes,
        from,
        from + length,
      )
      this.#head = (this.#head + ((recordHeaderBytes + length + 7) & ~7)) | 0
      count++
    }
    Atomics.store(this.#control, headWord, this.#head)
    return count
  }
}
