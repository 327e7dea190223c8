import type { StreamClient } from './stream-client.ts'
import type { StreamMeter } from './stream-meter.ts'
import { Gap } from './topic.ts'
import type { Batch, Frame, Position, Subscriber, Topic } from './topic.ts'

/** How long one turn of the event loop may be spent on sending, in milliseconds. */
const turnMs = 1

/** Clients that are sent something between two looks at the clock. */
const clientsAtOnce = 16

/** With so much that waits for clients with events of several topics, in bytes, those have their turn first. */
const maxOutboxBytes = 4 * 1024 * 1024

export interface EventSenderHooks {
  /** There is something to send: {@link EventSender.flush} is to be called. */
  readonly wake: () => void
  /** This is about to be sent to all who are up to date with a topic. */
  readonly onBatch: (topic: Topic, batch: Batch) => void
  /** What comes next to a subscriber is not in memory. */
  readonly onGap: (subscriber: Subscriber, since: string | undefined) => void
  /** A client was sent what it had got of several topics: there may be room for more. */
  readonly onSent: (client: StreamClient) => void
  /** What all that a client is subscribed to has reached. */
  readonly lowest: (client: StreamClient) => Position | undefined
}

/** Sends the events of topics to those who are up to date with them. */
export class EventSender {
  readonly #hooks: EventSenderHooks
  readonly #meter: StreamMeter
  readonly #maxUnsentBytes: number
  /** What it takes to hold what waits in all topics. */
  #unsentBytes = 0
  /** Topics with something to send, and clients with events of several topics. */
  readonly #dirty = new Set<Topic>()
  readonly #mixed = new Set<StreamClient>()

  /** @param maxUnsentBytes What waits in all topics takes no more, or a little: what is beyond is read when it is sent. */
  constructor(hooks: EventSenderHooks, meter: StreamMeter, maxUnsentBytes: number) {
    this.#hooks = hooks
    this.#meter = meter
    this.#maxUnsentBytes = maxUnsentBytes
  }

  /** Whether so much waits that nothing should be framed: {@link push} would forget it. */
  get isFull(): boolean {
    return this.#unsentBytes >= this.#maxUnsentBytes
  }

  /** Whether nothing is left to send. */
  get isFlushed(): boolean {
    return this.#dirty.size === 0 && this.#mixed.size === 0
  }

  /** What happens is to be sent to those who are up to date with a topic. */
  push(topic: Topic, frame: Frame | Gap): void {
    const before = topic.unsentBytes
    topic.add(frame)
    if (this.#unsentBytes + frame.heldBytes > this.#maxUnsentBytes) topic.dropUnsent(frame.sequence)
    this.#unsentBytes += topic.unsentBytes - before
    this.#dirty.add(topic)
    this.#hooks.wake()
  }

  /** Nobody watches a topic any more. */
  delete(topic: Topic): void {
    this.#dirty.delete(topic)
    this.#unsentBytes -= topic.waitingBytes
    topic.forgetUnsent()
  }

  send(subscriber: Subscriber, frame: Frame): void {
    const { client } = subscriber
    const before = client.outboxBytes
    client.send(subscriber, frame)
    this.#gathered(client, before)
  }

  /** Has a client sent what it has got of several topics. */
  #gathered(client: StreamClient, before: number): void {
    if (client.outboxBytes === before) return
    this.#meter.gatheredBytes += client.outboxBytes - before
    this.#mixed.add(client)
    this.#hooks.wake()
  }

  /** Sends what the subscriber does not have. @returns false where it has to read on. */
  sendFrames(subscriber: Subscriber, frames: readonly (Frame | Gap)[]): boolean {
    const { client, sequence } = subscriber
    let last: Frame | undefined
    for (const frame of frames) {
      if (frame.sequence <= sequence) continue
      if (frame instanceof Gap) {
        if (last !== undefined) subscriber.reached(last)
        this.#hooks.onGap(subscriber, frame.since ?? subscriber.id)
        return false
      }
      if (client.isFull || client.isBusy) {
        // What was sent of this may have been half a change, behind which no id says where it is.
        const isWhole = client.isFull || last !== undefined
        if (last !== undefined) subscriber.id = undefined
        if (isWhole) this.#meter.fallenBehind++
        subscriber.fallBehind(isWhole ? undefined : subscriber.id)
        return false
      }
      this.send(subscriber, frame)
      last = frame
    }
    if (last !== undefined) subscriber.reached(last)
    return true
  }

  /** Sends what there is, as far as a turn goes. */
  flush(): void {
    this.#flushTopics(performance.now() + turnMs)
    // Or they would wait, and gather events, as long as the topics take all the time.
    this.#flushClients(performance.now() + turnMs)
    if (!this.isFlushed) this.#hooks.wake()
  }

  #flushTopics(end: number): void {
    for (const topic of this.#dirty) {
      if (this.#meter.gatheredBytes > maxOutboxBytes) return
      this.#dirty.delete(topic)
      // What takes longer goes on behind the others.
      if (!this.#flushTopic(topic, end)) this.#dirty.add(topic)
      if (performance.now() > end) return
    }
  }

  #flushClients(end: number): void {
    for (const client of this.#mixed) {
      this.flushClient(client)
      if (performance.now() > end) return
    }
  }

  /** Sends what a client has got of several topics. */
  flushClient(client: StreamClient): void {
    if (!this.#mixed.delete(client)) return
    this.#meter.gatheredBytes -= client.outboxBytes
    if (client.isGone) return
    client.sendOutbox(this.#hooks.lowest(client)?.id)
    this.#hooks.onSent(client)
  }

  /** @returns whether everything was sent before the time was over. */
  #flushTopic(topic: Topic, end: number): boolean {
    for (;;) {
      const batch = topic.batch ?? this.#beginBatch(topic)
      if (batch === undefined) return true
      for (let count = 1; ; count++) {
        const next = batch.left.next()
        if (next.done === true) break
        this.#sendBatch(next.value, batch)
        if (count % clientsAtOnce === 0 && performance.now() > end) return false
      }
      this.#unsentBytes -= topic.batch?.heldBytes ?? 0
      topic.batch = undefined
    }
  }

  #beginBatch(topic: Topic): Batch | undefined {
    const batch = topic.beginBatch()
    if (batch !== undefined) this.#hooks.onBatch(topic, batch)
    return batch
  }

  #sendBatch(subscriber: Subscriber, batch: Batch): void {
    const { client } = subscriber
    const { frames, bytes } = batch
    const isAll = bytes !== undefined && frames[0]!.sequence > subscriber.sequence
    if (isAll && !client.isFull && !client.isBusy) {
      const before = client.outboxBytes
      client.sendBatch(subscriber, { ...batch, bytes })
      this.#gathered(client, before)
      subscriber.reached(frames.at(-1) as Frame)
      return
    }
    this.sendFrames(subscriber, frames)
  }
}
