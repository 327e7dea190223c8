import type { StreamClient } from './stream-client.ts'
import type { StreamMeter } from './stream-meter.ts'
import { Gap } from './topic.ts'
import type { Batch, Frame, Position, Subscriber, Topic } from './topic.ts'

/** How long one turn of the event loop may be spent on sending, in milliseconds. */
const turnMs = 1

/** Clients that are sent something between two looks at the clock. */
const clientsAtOnce = 16

export interface EventSenderHooks {
  /** There is something to send: {@link EventSender.flush} is to be called. */
  readonly wake: () => void
  /** This is about to be sent to all who are up to date with a topic. */
  readonly onBatch: (topic: Topic, batch: Batch) => void
  /** What comes next to a subscriber is not in memory. */
  readonly onGap: (subscriber: Subscriber, since: string | undefined) => void
  /** What all that a client is subscribed to has reached. */
  readonly lowest: (client: StreamClient) => Position | undefined
}

/** Sends the events of topics to those who are up to date with them. */
export class EventSender {
  readonly #hooks: EventSenderHooks
  readonly #meter: StreamMeter
  /** Topics with something to send, and clients with events of several topics. */
  readonly #dirty = new Set<Topic>()
  readonly #mixed = new Set<StreamClient>()

  constructor(hooks: EventSenderHooks, meter: StreamMeter) {
    this.#hooks = hooks
    this.#meter = meter
  }

  /** Whether nothing is left to send. */
  get isFlushed(): boolean {
    return this.#dirty.size === 0 && this.#mixed.size === 0
  }

  /** A topic has something to send. */
  add(topic: Topic): void {
    this.#dirty.add(topic)
    this.#hooks.wake()
  }

  /** Nobody watches a topic any more. */
  delete(topic: Topic): void {
    this.#dirty.delete(topic)
  }

  send(subscriber: Subscriber, frame: Frame): void {
    subscriber.client.send(subscriber, frame)
    if (subscriber.client.hasOutbox) {
      this.#mixed.add(subscriber.client)
      this.#hooks.wake()
    }
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
        this.fallBehind(subscriber, isWhole ? undefined : subscriber.id)
        return false
      }
      this.send(subscriber, frame)
      last = frame
    }
    if (last !== undefined) subscriber.reached(last)
    return true
  }

  /** Sends nothing to a subscriber before its client has taken what waits for it. */
  fallBehind(subscriber: Subscriber, since?: string): void {
    const { client, topic } = subscriber
    topic.live.delete(subscriber)
    subscriber.state = 'behind'
    subscriber.since = since
    if (client.isFull) this.#meter.fallenBehind++
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
    this.#mixed.delete(client)
    if (!client.isGone && client.hasOutbox) client.sendOutbox(this.#hooks.lowest(client)?.id)
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
      client.sendBatch(subscriber, { ...batch, bytes })
      if (client.hasOutbox) this.#mixed.add(client)
      subscriber.reached(frames.at(-1) as Frame)
      return
    }
    this.sendFrames(subscriber, frames)
  }
}
