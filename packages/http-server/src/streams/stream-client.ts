import type { OutgoingStream } from '../exchange.ts'
import { shortSliceMs, TimeSlice } from '../time-slice.ts'
import { CatchingUp } from './catching-up.ts'
import { eventBlock, jsonEventFrame, wholeAfter, wholeBefore } from './event-frame.ts'
import type { FramedPiece } from './framed-events.ts'
import type { StreamMeter } from './stream-meter.ts'
import type { Batch, Frame, Subscriber } from './topic.ts'

/** What an event of one of several subscriptions takes besides its JSON, in bytes. */
const namedBytes = 128

/** One open stream, and what is sent over it. */
export class StreamClient {
  readonly #stream: OutgoingStream
  readonly #meter: StreamMeter
  readonly #maxPendingBytes: number
  /** Where its owner may change what it is subscribed to: its name. */
  readonly id: string | undefined
  readonly subscribers: Set<Subscriber> = new Set()
  /** Subscriptions that are asked for, and not yet among the subscribers: their targets are looked at. */
  pendingSubscriptions = 0
  /** Whether so much has not left that nothing may be added. */
  #isFull = false
  /** How much of what waits for all is for this one: what was there when it was last written to, until all has left. */
  #countedBytes = 0
  isGone = false
  /** Its subscribers that have to be brought up to date, if there were any. */
  catchingUp: CatchingUp | undefined
  /** Made when somebody listens: most clients only wait. */
  #onGone: Set<() => void> | undefined
  #wake: (() => void) | undefined
  /** Bytes that were written, how many of them had left at the last keep-alive, and at how many before as well. */
  #written = 0
  #left = -1
  #stillRounds = 0
  /** Keep-alives in a row since which it has had something to take, and has not drained. */
  undrainedRounds = 0
  /** Events of several subscriptions, until it is known what all of them have reached. */
  #outbox: [subscriber: Subscriber, frame: Frame][] = []
  /** About what will be written of those that wait for {@link sendOutbox}, in bytes. */
  outboxBytes = 0
  /** The id that was sent last. */
  #sentId: string | undefined
  #isBusy = false
  /** Whether nothing may be written any more. */
  isEnding = false
  /** What waits until something may be written again. */
  #held = ''

  constructor(stream: OutgoingStream, meter: StreamMeter, maxPendingBytes: number, id?: string) {
    this.#stream = stream
    this.#meter = meter
    this.#maxPendingBytes = maxPendingBytes
    this.id = id
  }

  beginCatchingUp(): CatchingUp {
    return (this.catchingUp ??= new CatchingUp())
  }

  /** Whether so much waits for it that nothing may be added. */
  get isFull(): boolean {
    return this.#isFull || this.outboxBytes > this.#maxPendingBytes
  }

  get pendingBytes(): number {
    return this.#stream.pendingBytes
  }

  /** Whether a value in blocks is on its way, into which nothing may be written. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  set isBusy(isBusy: boolean) {
    this.#isBusy = isBusy
    this.#writeHeld()
  }

  /** Calls `listener` when everything has left that was too much. */
  onDrain(listener: () => void): void {
    this.#stream.onDrain = () => {
      this.#isFull = false
      this.#count(0)
      this.#writeHeld()
      this.#wake?.()
      listener()
    }
  }

  /** Calls `listener` when the client has gone. @returns the way to stop that. */
  onGone(listener: () => void): () => void {
    const listeners = (this.#onGone ??= new Set())
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** To be called when the client has gone. */
  gone(): void {
    this.isGone = true
    this.#count(0)
    this.#wake?.()
    for (const listener of this.#onGone ?? []) listener()
  }

  /** Writes an event whose value comes in blocks, as fast as the client takes them. */
  async writeBlocks(
    before: Uint8Array,
    blocks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    after: Uint8Array,
  ): Promise<void> {
    this.write(before)
    const slice = new TimeSlice(shortSliceMs)
    for await (const block of blocks) {
      if (this.isGone) return
      if (!this.write(block)) await this.#drained()
      // What a fast client takes at once drains without a turn of the event loop.
      await slice.rest()
    }
    if (this.isGone) return
    this.write(after)
  }

  async #drained(): Promise<void> {
    if (this.isGone) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
    this.#wake = undefined
  }

  /**
   * @param release Called once when nobody looks at the bytes any more. Default: they stay as they are.
   * @returns whether more should follow at once.
   */
  write(bytes: Uint8Array, release?: () => void): boolean {
    this.#written += bytes.length
    this.#meter.bytes += bytes.length
    const stream = this.#stream
    const goesOn = release === undefined ? stream.write(bytes) : stream.writeLent(bytes, release)
    if (!goesOn) this.#waits()
    return goesOn
  }

  // It will drain.
  #waits(): void {
    const { pendingBytes } = this
    if (!this.isGone) this.#count(pendingBytes)
    if (pendingBytes > this.#maxPendingBytes || this.#meter.isFull) this.#isFull = true
  }

  #count(bytes: number): void {
    this.#meter.pendingBytes += bytes - this.#countedBytes
    this.#countedBytes = bytes
    if (bytes === 0) this.undrainedRounds = 0
  }

  writeText(text: string): void {
    this.write(Buffer.from(text))
  }

  /** Writes a block that no later one replaces, as soon as it may be written. */
  tell(block: string): void {
    this.#held += block
    this.#writeHeld()
    if (this.#held.length > this.#maxPendingBytes) this.destroy()
  }

  #writeHeld(): void {
    if (this.#held === '' || this.isFull || this.isBusy || this.isGone) return
    const held = this.#held
    this.#held = ''
    this.writeText(held)
  }

  send(subscriber: Subscriber, frame: Frame): void {
    this.#meter.events++
    if (subscriber.name === undefined) this.write(frame.bytes)
    else this.#gather(subscriber, frame)
  }

  #gather(subscriber: Subscriber, frame: Frame): void {
    this.#outbox.push([subscriber, frame])
    this.outboxBytes += namedBytes + frame.json.length
  }

  /** Sends events that are framed for a client that watches nothing else. */
  sendEvents({ count, bytes, release }: FramedPiece): void {
    this.#meter.events += count
    this.write(bytes, release)
  }

  sendBatch(
    subscriber: Subscriber,
    { frames, bytes }: Pick<Batch, 'frames'> & { readonly bytes: Uint8Array },
  ): void {
    if (subscriber.name === undefined) {
      this.sendEvents({ count: frames.length, bytes })
      return
    }
    this.#meter.events += frames.length
    for (const frame of frames) this.#gather(subscriber, frame as Frame)
  }

  /** @param lowest What all of its subscriptions have reached with these events, where they all have begun. */
  sendOutbox(lowest: string | undefined): void {
    const events = this.#outbox
    this.#outbox = []
    this.outboxBytes = 0
    const pieces: Uint8Array[] = []
    for (const [index, [{ name }, frame]] of events.entries()) {
      // Who is cut off in the middle has not all of them.
      const isLast = index === events.length - 1
      const id = isLast ? lowest : this.#sentId
      const { before, after } = jsonEventFrame(frame.name ?? 'value', id)
      const { opening, json, closing } = namedJson(name!, frame)
      pieces.push(before, opening, json, closing, after)
    }
    this.#sentId = lowest
    this.write(Buffer.concat(pieces))
    // It may have waited for these only.
    this.#writeHeld()
  }

  /** The bytes around a value that comes in blocks. */
  wholeFrame(
    { name, topic }: Subscriber,
    id: string | undefined,
  ): { readonly before: Uint8Array; readonly after: Uint8Array } {
    const isValue = topic.target.isValue === true
    if (name === undefined) {
      const { before, after } = jsonEventFrame(isValue ? undefined : 'put', id)
      if (isValue) return { before, after }
      return {
        before: Buffer.concat([before, wholeBefore]),
        after: Buffer.concat([wholeAfter, after]),
      }
    }
    const { before, after } = jsonEventFrame(isValue ? 'value' : 'put', this.#sentId)
    const head = isValue ? '"data":' : '"path":"/","data":'
    return {
      before: Buffer.concat([before, Buffer.from(`{${subscriptionJson(name, id)}${head}`)]),
      after: Buffer.concat([wholeAfter, after]),
    }
  }

  /**
   * @param block What to send where nothing else is on its way.
   * @param id What that says everything on the stream has reached.
   * @returns how many in a row have found that it took nothing of what there was.
   */
  keepAlive(block: Uint8Array, id: string | undefined): number {
    const left = this.#written - this.pendingBytes
    const isStill = this.pendingBytes > 0 && left === this.#left
    this.#left = left
    this.#stillRounds = isStill ? this.#stillRounds + 1 : 0
    if (this.#countedBytes > 0) this.undrainedRounds++
    // What waits for it keeps it alive as well.
    if (this.pendingBytes > 0 || this.isBusy || this.isEnding) return this.#stillRounds
    if (id !== undefined) this.#sentId = id
    this.write(block)
    return 0
  }

  /** Whether it is sent bare values. */
  get isValue(): boolean {
    if (this.id !== undefined) return false
    for (const { topic } of this.subscribers) return topic.target.isValue === true
    return false
  }

  /** Ends the stream, and says when to come back. */
  end(retryMs: number): void {
    this.#endWith(eventBlock({ retry: retryMs }))
  }

  /** Ends the stream, and says why it could not go on. Takes the id from the client: with that it would be told the same again. */
  cancel(reason: string): void {
    this.#endWith(eventBlock({ event: 'cancel', data: JSON.stringify(reason), id: '' }))
  }

  #endWith(block: string): void {
    if (this.isEnding) return
    this.isEnding = true
    if (this.isBusy) {
      this.#stream.destroy()
      return
    }
    this.writeText(block)
    this.#stream.end()
  }

  destroy(): void {
    this.#stream.destroy()
  }
}

function subscriptionJson(name: string, id: string | undefined): string {
  const idJson = id === undefined ? '' : `"id":${JSON.stringify(id)},`
  return `"subscription":${JSON.stringify(name)},${idJson}`
}

/** The data of an event with the name of its subscription in front. */
function namedJson(
  name: string,
  { name: event, json, id }: Frame,
): { readonly opening: Uint8Array; readonly json: Uint8Array; readonly closing: Uint8Array } {
  const opening = `{${subscriptionJson(name, id)}`
  if (event === undefined) {
    return { opening: Buffer.from(`${opening}"data":`), json, closing: wholeAfter }
  }
  // Behind its own brace.
  return { opening: Buffer.from(opening), json: json.subarray(1), closing: nothing }
}

const nothing = new Uint8Array()
