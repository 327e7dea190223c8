import type { Change } from '@elkyn/tree'
import type { Log } from '../log.ts'
import { Refusal } from '../refusal.ts'
import { changeEvents } from './change-events.ts'
import type { PartOfChange } from './change-events.ts'
import { ChangeListener } from './change-listener.ts'
import { ChangeTurns } from './change-turns.ts'
import { EventSender } from './event-sender.ts'
import type { EventSenderHooks } from './event-sender.ts'
import { maxFramedBytes } from './framed-events.ts'
import type { FramedPiece } from './framed-events.ts'
import { KnownKeys } from './known-keys.ts'
import { KnownPlaces } from './known-places.ts'
import { LingeringTopics } from './lingering-topics.ts'
import { ReadingQueue, busyDelayMs, maxReadings } from './reading-queue.ts'
import { RecentEvents } from './recent-events.ts'
import type { StreamClient } from './stream-client.ts'
import type { Known, LargeValue, StreamEvent, StreamResult } from './stream-job.ts'
import type { StreamMeter } from './stream-meter.ts'
import type { StreamSource } from './stream-source.ts'
import { targetKey, watchedPath } from './stream-target.ts'
import type { StreamTarget } from './stream-target.ts'
import { Timers } from './timers.ts'
import { TopicTree } from './topic-tree.ts'
import { Frame, Gap, Subscriber, Topic, joined } from './topic.ts'
import type { Batch, Position, ReadGroup } from './topic.ts'

export interface BroadcasterOptions {
  /** Bytes of events that are kept for those who are reading. */
  readonly maxKeptBytes: number
  /** Bytes of events that wait to be sent: what is beyond is read instead. */
  readonly maxUnsentBytes: number
  /** Bytes of keys that are kept of what queries found: who watches others is told the whole at each change. */
  readonly maxKnownBytes: number
  /** Bytes of events that are kept for those who come back. */
  readonly recentBytes: number
  /** How long they go on to be kept for topics that nobody watches any more, and of how many, at most. */
  readonly lingerMs: number
  readonly maxLingering: number
  readonly log: Log
  /** Is told of a subscriber whose target cannot be shown any more. */
  readonly onRefused: (subscriber: Subscriber, refusal: Refusal) => void
}

/** For so many, to parse a value once takes less than to look through it for each. */
const many = 8

/** Pairs of a change that are looked at before something else may be done. */
const pairsAtOnce = 64

/** The topics that a change concerns, of each place together. */
interface Concerned {
  /** With the indexes of the pairs that concern them, where there are several and somebody looks at them. */
  readonly places: ReadonlyMap<ReadonlySet<Topic>, readonly number[] | undefined>
  /** Whether they are many. */
  readonly isForMany: boolean
}

/** With so little that a client has not taken, the next piece of what it missed is read. */
const aheadBytes = 64 * 1024

/**
 * Clients that are read for at one time of those that waited for room: what is read for them may be beyond the limit. If all were,
 * most of it would be thrown away, and read again each time.
 */
const maxAdmitted = 4

/** Of each of them about so much may come. Where there is room for more of them, more are read for. */
const admittedBytes = 1024 * 1024

/**
 * Longest id that is looked up, in UTF-16 units: no change has a longer one, and cut off it is still none of a change. Texts of more
 * than 16,383 units V8 finds in a map by their lengths alone.
 */
const maxIdLength = 1000

/**
 * Brings what happens in one tree to those who watch parts of it: each change once and in order, after
 * the value that it changes. Touches no store: that is for its source.
 */
export class Broadcaster {
  readonly #source: StreamSource
  readonly #options: BroadcasterOptions
  readonly #meter: StreamMeter
  /** Bytes of a piece of what was missed: it waits for a client as events do. */
  readonly #framedBytes: number
  readonly #topics = new Map<string, Topic>()
  #topicsMade = 0
  readonly #tree = new TopicTree<Topic>()
  readonly #timers = new Timers()
  readonly #listener: ChangeListener
  readonly #readings: ReadingQueue<ReadGroup | Topic>
  readonly #sender: EventSender
  readonly #recent: RecentEvents
  readonly #places = new KnownPlaces()
  readonly #known: KnownKeys
  /** Clients of whom somebody may have to be brought up to date. */
  readonly #catchingUp = new Set<StreamClient>()
  /** Those of whom somebody has to, when less waits for all clients together: who came first is first. */
  readonly #withoutRoom = new Set<StreamClient>()
  /** Those of them whose turn has come. */
  readonly #admitted = new Set<StreamClient>()
  /** Those who are sent what is read for them whatever waits by then: not all, because others may have taken the room for all. */
  readonly #beyond = new Set<StreamClient>()
  readonly #lingering: LingeringTopics
  readonly #turns = new ChangeTurns((change) => this.#tellSteps(change))
  /** The newest change of which all were told that it concerns. */
  #position: Position | undefined
  #flushing: NodeJS.Immediate | undefined

  constructor(source: StreamSource, options: BroadcasterOptions, meter: StreamMeter) {
    this.#source = source
    this.#options = options
    this.#meter = meter
    this.#framedBytes = Math.min(Math.max(options.maxKeptBytes, aheadBytes), maxFramedBytes)
    this.#listener = new ChangeListener(source, this.#timers, options.log, {
      onBegin: () => this.#wake(),
      onChanges: (changes) => this.#turns.add(changes),
      onLost: () => this.#lost(),
    })
    this.#readings = new ReadingQueue(this.#timers, () => this.#wake())
    this.#recent = new RecentEvents(options.recentBytes)
    this.#lingering = new LingeringTopics(options, this.#timers, (topic) => this.#leave(topic))
    const hooks: EventSenderHooks = {
      wake: () => this.#wake(),
      onBatch: (topic, batch) => this.#toTell(topic, batch),
      onGap: (subscriber, since) => this.#read(subscriber, since),
      onSent: (client) => this.#catchUpLater(client),
      lowest: (client) => this.lowest(client),
    }
    this.#sender = new EventSender(hooks, meter, options.maxUnsentBytes)
    this.#known = new KnownKeys(options.maxKnownBytes)
  }

  /** @param given Id of the event behind which it goes on. */
  subscribe(
    client: StreamClient,
    target: StreamTarget,
    given: string | undefined,
    name?: string,
  ): Subscriber {
    const since = given?.slice(0, maxIdLength)
    const key = targetKey(target)
    let topic = this.#topics.get(key)
    if (topic === undefined) {
      topic = new Topic(this.#topicsMade++, key, target)
      this.#topics.set(key, topic)
      this.#tree.add(watchedPath(target), topic)
    }
    const subscriber = new Subscriber(client, topic, name, since)
    topic.subscribers.add(subscriber)
    client.subscribers.add(subscriber)
    this.#meter.subscriptions++
    // Before anything is read, so that nothing falls between a value and the first change that is heard of.
    this.#listener.listen()
    this.#read(subscriber, since)
    // Others may come back from the same place in this turn: they are read for together, but for the first one.
    const group = since === undefined ? undefined : topic.groups.get(since)
    if (group !== undefined && this.#readings.isIdle && this.#mayBegin(group)) this.#beginReadings()
    return subscriber
  }

  unsubscribe(subscriber: Subscriber): void {
    const { topic, client, state } = subscriber
    if (state === 'ended') return
    subscriber.state = 'ended'
    this.#meter.subscriptions--
    client.subscribers.delete(subscriber)
    client.catchingUp?.delete(subscriber)
    this.#catchUpLater(client)
    topic.live.delete(subscriber)
    topic.subscribers.delete(subscriber)
    if (topic.subscribers.size > 0) return
    const isHeard = this.#listener.state === 'listening'
    if (state === 'live' && isHeard && topic.isFollowed) this.#lingering.add(topic, subscriber)
    if (!topic.isWatched) this.#forget(topic)
  }

  /** Nobody is expected to come back to a topic any more. */
  #leave(topic: Topic): void {
    topic.absent = undefined
    if (!topic.isWatched) this.#forget(topic)
  }

  #forget(topic: Topic): void {
    this.#topics.delete(topic.key)
    this.#tree.delete(watchedPath(topic.target), topic)
    this.#sender.delete(topic)
    this.#known.forget(topic)
    this.#recent.end(topic)
    if (this.#topics.size === 0) this.#stop()
  }

  /** The client has taken what waited for it. */
  drained(client: StreamClient): void {
    this.#catchUp(client)
    this.#admit()
  }

  /** The client has gone, with all that it was subscribed to. */
  gone(client: StreamClient): void {
    this.#withoutRoom.delete(client)
    this.#admitted.delete(client)
    this.#admit()
  }

  /**
   * Whether somebody waits until others have taken what there is for them. Not where it only waits for its turn, which is so while there is
   * room for all that are read for at one time.
   */
  get isOutOfRoom(): boolean {
    return this.#withoutRoom.size > 0 && this.#meter.isShort(maxReadings * admittedBytes)
  }

  /**
   * Has those read for who have waited longest for room, while there is some. Nobody waits for ever: there is room again when a client
   * has drained or gone, or what was gathered is sent, and a place among the admitted when a reading ends, or a value begins. Each comes here,
   * by a turn of {@link #wake} or at once. Who takes what it is sent never drains, so the turn is needed.
   */
  #admit(): void {
    for (const client of this.#admitted) {
      if (!isReadFor(client)) this.#admitted.delete(client)
    }
    for (const client of this.#beyond) {
      if (!this.#admitted.has(client)) this.#beyond.delete(client)
    }
    for (const client of this.#withoutRoom) {
      const { isFull, roomBytes } = this.#meter
      const places = Math.max(maxAdmitted, Math.floor(roomBytes / admittedBytes))
      if (isFull || this.#admitted.size >= places) return
      this.#withoutRoom.delete(client)
      this.#catchUp(client)
      if (!isReadFor(client)) continue
      this.#admitted.add(client)
      if (this.#beyond.size < maxAdmitted) this.#beyond.add(client)
    }
  }

  /** What all that a client is subscribed to has reached; `undefined` before each has begun. */
  lowest(client: StreamClient): Position | undefined {
    if (client.pendingSubscriptions > 0) return undefined
    let lowest: Position | undefined
    for (const subscriber of client.subscribers) {
      const position = this.#reached(subscriber)
      if (position.sequence < 0) return undefined
      if (lowest === undefined || position.sequence < lowest.sequence) lowest = position
    }
    return lowest
  }

  /** The same, whose id the client is sent. */
  placeOf(client: StreamClient): Position | undefined {
    const place = this.lowest(client)
    if (place !== undefined) this.#places.add(place)
    return place
  }

  /** Whether nothing is left to send of what was heard of. */
  get isFlushed(): boolean {
    return this.#sender.isFlushed
  }

  close(): void {
    this.#stop()
    this.#listener.close()
    this.#readings.close()
    this.#timers.clear()
    if (this.#flushing !== undefined) clearImmediate(this.#flushing)
  }

  get #isClosed(): boolean {
    return this.#listener.state === 'closed'
  }

  #stop(): void {
    this.#listener.stop()
    this.#turns.clear()
    this.#position = undefined
  }

  /** Nobody knows what happened since: what is known is read again, and what was missed from the log. */
  #lost(): void {
    // Some may have been told more than all.
    const heard = (this.#turns.newest ?? this.#position)?.sequence ?? -1
    this.#lingering.end()
    this.#places.clear()
    for (const topic of this.#topics.values()) {
      this.#missed(topic, heard)
      if (topic.isFollowed) this.#push(topic, new Gap(Infinity))
      // Whose reading had begun reads on in any case.
      topic.forget(-1)
      topic.isDirty = true
    }
    this.#stop()
    if (this.#topics.size === 0) return
    this.#listener.listen()
    for (const topic of this.#topics.values()) if (!topic.isFollowed) this.#evaluate(topic)
  }

  *#tellSteps(change: Change): Generator<number, void, void> {
    const made = this.#topicsMade
    const { places, isForMany } = yield* this.#concerned(change)
    for (const [topics, indexes] of places) {
      const part = { indexes, isForMany }
      for (const topic of topics) {
        // Who has come meanwhile begins with a reading that has it. And some are not watched any more.
        if (topic.number < made && topic.isWatched) this.#tell(topic, change, part)
        yield topic.isFollowed && indexes !== undefined ? indexes.length : 1
      }
    }
    this.#position = change
  }

  /** Finds where a change concerns topics. */
  *#concerned({ pairs }: Change): Generator<number, Concerned, void> {
    const places = new Map<ReadonlySet<Topic>, number[] | undefined>()
    // Each looks at the pairs that concern it only: there may be many of both. Who is read for looks at none.
    const isSole = pairs.length === 1
    let count = 0
    for (const [index, { path }] of pairs.entries()) {
      this.#tree.concernedBy(path, (topics) => {
        const indexes = places.get(topics)
        if (indexes !== undefined) {
          indexes.push(index)
        } else if (!places.has(topics)) {
          count += topics.size
          places.set(topics, isSole || !hasFollowed(topics) ? undefined : [index])
        }
      })
      if ((index + 1) % pairsAtOnce === 0) yield pairsAtOnce
    }
    return { places, isForMany: count >= many }
  }

  #tell(topic: Topic, change: Change, part: PartOfChange): void {
    if (!topic.isFollowed) {
      // So that nobody looks through what has happened elsewhere, or finds it to be too much.
      topic.unchangedUntil(this.#position)
      topic.isDirty = true
      if (topic.isAwaited) this.#evaluate(topic)
      return
    }
    const { sequence } = change
    if (!topic.isTold) {
      this.#missed(topic, sequence)
      // Who comes later reads it.
      if (topic.readings === 0) return
    }
    // It would be forgotten as soon as it is framed.
    if (topic.readings === 0 && this.#sender.isFull) {
      this.#push(topic, new Gap(sequence))
      return
    }
    const { path, form } = topic.target
    const events = changeEvents(change, path, form, part)
    if (events === undefined) {
      this.#push(topic, new Gap(sequence, this.#position?.id))
      return
    }
    for (const { name, json, id } of events) {
      this.#push(topic, new Frame({ name, json: Buffer.from(json), id }, sequence))
    }
  }

  /** A topic tells nobody what happened up to a change. What it has told may not have left. */
  #missed(topic: Topic, sequence: number): void {
    topic.untold = sequence
    this.#recent.end(topic)
  }

  #push(topic: Topic, frame: Frame | Gap): void {
    if (topic.isTold) this.#sender.push(topic, frame)
    topic.keep(frame, this.#options.maxKeptBytes)
  }

  /** What is about to be sent goes also to those who come back. */
  #toTell(topic: Topic, batch: Batch): void {
    this.#recent.add(topic, batch)
    const { absent } = topic
    if (absent === undefined) return
    const last = batch.frames.at(-1)!
    // Nothing is read for who is not there.
    if (batch.bytes === undefined) this.#lingering.delete(topic)
    else if (last.sequence > absent.sequence) topic.absent = positionOf(last as Frame)
  }

  /** What a subscriber has, which is what was heard of where nothing is on its way to it. */
  #reached(subscriber: Subscriber): Position {
    const { topic, state } = subscriber
    const isQuiet = topic.isSent && (topic.isFollowed || (!topic.isDirty && !topic.isEvaluating))
    const heard = this.#position
    const isUpToDate = state === 'live' && isQuiet && !subscriber.client.isFull
    // Noted, that it does not seem to have less when something happens next.
    if (isUpToDate && heard !== undefined && heard.sequence > subscriber.sequence) {
      subscriber.reached(heard)
    }
    return subscriber
  }

  // Reading.

  #read(subscriber: Subscriber, since: string | undefined, known?: Known): void {
    const { topic, client } = subscriber
    subscriber.state = 'reading'
    subscriber.since = since
    topic.live.delete(subscriber)
    client.catchingUp?.delete(subscriber)
    let group = topic.groups.get(since)
    if (group === undefined) {
      group = { topic, since, known, subscribers: [] }
      topic.groups.set(since, group)
      // Of a topic that is read again and again, the whole comes with the next time.
      if (!topic.isFollowed && since === undefined) this.#evaluate(topic)
      else this.#readings.add(group)
    }
    group.subscribers.push(subscriber)
    this.#wake()
  }

  #evaluate(topic: Topic): void {
    if (topic.isEvaluating) return
    topic.isEvaluating = true
    // Somebody may wait for the whole.
    if (topic.groups.has(undefined)) this.#readings.add(topic)
    else this.#readings.addAgain(topic)
    this.#wake()
  }

  #beginReadings(): void {
    this.#readings.begin(
      (next) => this.#mayBegin(next),
      (next) => void (next instanceof Topic ? this.#runEvaluation(next) : this.#runReading(next)),
    )
  }

  /** What was missed may be read before changes are heard of: it is read on then. */
  #mayBegin(next: ReadGroup | Topic): boolean {
    const { state } = this.#listener
    if (state === 'listening') return true
    if (state !== 'starting' || next instanceof Topic) return false
    const { topic, since, subscribers } = next
    if (since === undefined || !topic.isFollowed) return false
    const known = this.#places.sequenceOf(since)
    if (isFramed(next) && this.#recent.has(topic, since, known)) return true
    return subscribers.every(({ sequence }) => sequence < 0)
  }

  /** What is in memory of what was missed, the next piece of it. */
  #recentFor(group: ReadGroup): StreamResult | undefined {
    const { topic, since } = group
    if (since === undefined || !topic.isFollowed || !isFramed(group)) return undefined
    return this.#recent.after(topic, since, this.#places.sequenceOf(since))
  }

  /** Where those are who have missed nothing that was told; `undefined` where that is not known. */
  #placeInTold({ topic, since }: ReadGroup): Position | undefined {
    if (since === undefined || !topic.isFollowed) return undefined
    if (this.#listener.state !== 'listening' || !topic.isTold) return undefined
    // Who has met a gap would meet it again, in the same batch.
    if (topic.batch !== undefined && topic.batch.bytes === undefined) return undefined
    const sequence = this.#places.sequenceOf(since)
    // Who is told what comes next has all before these.
    for (const told of [this.#recent.newest(topic), topic.toldFrom]) {
      if (told === undefined) continue
      if (told.id === since) return positionOf(told)
      if (sequence !== undefined && sequence >= told.sequence) return { sequence, id: since }
    }
    return undefined
  }

  /** What failed again and again must not look as if nothing happened. */
  #giveUp(subscribers: Iterable<Subscriber>, error: unknown): void {
    if (this.#isClosed) return
    if (error instanceof Refusal) {
      for (const subscriber of subscribers) this.#refuse(subscriber, error)
      return
    }
    this.#options.log.error({ err: error }, 'A stream was ended: it could not be read on')
    for (const { client } of subscribers) client.destroy()
  }

  #refuse(subscriber: Subscriber, refusal: Refusal): void {
    if (subscriber.state === 'ended') return
    this.unsubscribe(subscriber)
    this.#options.onRefused(subscriber, refusal)
  }

  /** Those who can be sent now what would be read for them. The others are read for when they can. */
  #ready(subscribers: readonly Subscriber[]): Subscriber[] {
    return subscribers.filter((one) => one.state === 'reading' && this.#hasRoom(one))
  }

  #hasRoom(subscriber: Subscriber): boolean {
    const { client } = subscriber
    const mayBeyond = this.#beyond.has(client) && this.#admitted.has(client)
    const isFull = this.#meter.isFull && !mayBeyond
    if (!client.isFull && !client.isBusy && !isFull) return true
    subscriber.fallBehind(subscriber.since)
    if (isFull) this.#withoutRoom.add(client)
    return false
  }

  /** Has the next one of a client brought up to date, if it can be sent something. */
  #catchUp(client: StreamClient): void {
    if (client.isGone || client.isFull || client.isBusy) return
    if (this.#meter.isFull && client.catchingUp?.isAwaited === true) {
      this.#withoutRoom.add(client)
      return
    }
    const next = client.catchingUp?.next()
    if (next === undefined) return
    if (next.isLarge) void this.#sendLarge(next.subscriber)
    else this.#read(next.subscriber, next.subscriber.since)
  }

  /** The same at the end of this turn of the event loop. */
  #catchUpLater(client: StreamClient): void {
    if (client.catchingUp === undefined) return
    this.#catchingUp.add(client)
    this.#wake()
  }

  async #runReading(given: ReadGroup): Promise<void> {
    const { topic, since, known } = given
    topic.groups.delete(since)
    const subscribers = this.#ready(given.subscribers)
    if (subscribers.length === 0) return
    const group = { ...given, subscribers }
    const recent = this.#recentFor(group)
    if (recent !== undefined) {
      this.#delivered(group, recent)
      return
    }
    const place = this.#placeInTold(group)
    if (place !== undefined) {
      this.#joinTold(subscribers, place)
      return
    }
    topic.readings++
    try {
      const { state, round } = this.#listener
      const job = { target: topic.target, since, known }
      const framing = isFramed(group) ? { framedBytes: this.#framedBytes } : {}
      const read = await this.#readings.run(() => this.#source.run({ ...job, ...framing }))
      if (this.#isClosed) return
      const isHeard = state === 'listening' && round === this.#listener.round
      const result = isHeard ? read : { ...read, isCut: true }
      this.#delivered(group, result)
      if (result.isCut === true) this.#beginReadings()
    } catch (error) {
      this.#giveUp(subscribers, error)
    } finally {
      topic.endReading()
    }
  }

  /**
   * They are sent what comes behind their place with all who are up to date. Not what is kept, which goes on behind a
   * reading: what was told before that began may wait to be sent still, and it would be taken for known.
   */
  #joinTold(subscribers: readonly Subscriber[], place: Position): void {
    for (const subscriber of subscribers) {
      this.#count(subscriber, {})
      this.#catchUpLater(subscriber.client)
      subscriber.reached(place)
      this.#joinLive(subscriber)
    }
  }

  #delivered({ subscribers, known }: ReadGroup, result: StreamResult): void {
    const takers = subscribers.filter(({ state }) => state === 'reading')
    for (const subscriber of takers) this.#count(subscriber, result)
    for (const { client } of takers) this.#catchUpLater(client)
    if (result.isLarge === true && result.isWhole) {
      for (const subscriber of takers) this.#readLarge(subscriber)
      return
    }
    const frames = framesOf(result.events, result.sequence)
    const { framed = { count: frames.length, bytes: joined(frames) } } = result
    const piece = framed.bytes.length === 0 ? undefined : forAll(framed, takers.length)
    for (const subscriber of takers) {
      const { client, name, topic } = subscriber
      // Those before it may have taken the room.
      if (!this.#hasRoom(subscriber)) {
        piece?.release?.()
        continue
      }
      this.#admitted.delete(client)
      if (name !== undefined) for (const frame of frames) this.#sender.send(subscriber, frame)
      else if (piece !== undefined) client.sendEvents(piece)
      subscriber.reached(result)
      if (result.isCut === true) this.#readOn(subscriber, result.id)
      else if (topic.isFollowed) this.#joinFollowed(subscriber)
      else this.#joinEvaluated(subscriber, result, known?.keys !== undefined)
    }
  }

  #count(subscriber: Subscriber, { isLost }: Pick<StreamResult, 'isLost'>): void {
    if (!subscriber.isResuming) return
    subscriber.isResuming = false
    if (isLost === true) this.#meter.resumesLost++
    else this.#meter.resumes++
  }

  /** Reads the next piece of what was missed, when the system has taken nearly all of the last one. */
  #readOn(subscriber: Subscriber, since: string | undefined): void {
    if (subscriber.client.pendingBytes < aheadBytes) {
      this.#read(subscriber, since)
      return
    }
    subscriber.fallBehind(since)
  }

  #joinFollowed(subscriber: Subscriber): void {
    const { topic } = subscriber
    if (topic.forgotten > subscriber.sequence) {
      this.#read(subscriber, subscriber.id)
      return
    }
    subscriber.state = 'live'
    if (this.#sender.sendFrames(subscriber, topic.kept)) this.#joinLive(subscriber)
  }

  #joinLive(subscriber: Subscriber): void {
    const { topic } = subscriber
    subscriber.state = 'live'
    topic.live.add(subscriber)
    this.#lingering.delete(topic)
  }

  /**
   * Those who watch an evaluated topic are told what changes from one evaluation to the next, so that only who knows the
   * same joins them. Anybody else is told the whole with the next evaluation, or where that is large, read for again.
   */
  #joinEvaluated(
    subscriber: Subscriber,
    { sequence, id, known }: StreamResult,
    isLarge: boolean,
  ): void {
    const { topic } = subscriber
    const at = topic.position?.sequence
    const isQuiet = !topic.isDirty && !topic.isEvaluating
    // Another thread may have evaluated it at a later change, and nobody would tell of that one again.
    const isFirst = topic.live.size === 0 && !topic.isEvaluating && (at ?? -1) <= sequence
    if (isFirst) {
      topic.position = { sequence, id }
      this.#known.keep(topic, known)
    }
    const hasHeard = (this.#position?.sequence ?? -1) >= sequence
    const isUnchanged = at !== undefined && at < sequence && isQuiet && hasHeard
    if (!isFirst && at !== sequence && !isUnchanged) {
      if (isLarge) this.#read(subscriber, id, known)
      else this.#read(subscriber, undefined)
      return
    }
    subscriber.state = 'live'
    topic.live.add(subscriber)
    if (topic.isDirty) this.#evaluate(topic)
  }

  async #runEvaluation(topic: Topic): Promise<void> {
    const waiting = this.#ready(topic.groups.get(undefined)?.subscribers ?? [])
    topic.groups.delete(undefined)
    if (waiting.length === 0 && topic.live.size === 0) {
      topic.isEvaluating = false
      return
    }
    topic.isDirty = false
    try {
      const result = await this.#readings.run(() =>
        this.#source.run({
          target: topic.target,
          since: topic.position?.id,
          known: topic.known,
          wantsWhole: waiting.length > 0,
        }),
      )
      if (this.#isClosed || topic.subscribers.size === 0) return
      this.#evaluated(topic, result, waiting)
    } catch (error) {
      // What is refused may be the whole, which those who are told of changes do not need: for them it is tried without.
      const isOfOthers = error instanceof Refusal && waiting.length > 0 && topic.live.size > 0
      this.#giveUp(isOfOthers ? waiting : [...topic.subscribers], error)
      topic.isDirty ||= isOfOthers
    } finally {
      topic.isEvaluating = false
    }
    if (topic.isAwaited && (topic.isDirty || topic.groups.has(undefined))) this.#evaluate(topic)
  }

  #evaluated(topic: Topic, result: StreamResult, waiting: readonly Subscriber[]): void {
    const { sequence, id, events, isWhole, isLarge = false } = result
    topic.position = { sequence, id }
    // What comes in blocks has no digest, and that of what was before it says nothing any more.
    this.#known.keep(topic, isLarge ? result.known : { ...topic.known, ...result.known })
    if (isLarge && isWhole) {
      for (const subscriber of topic.live) this.#readLarge(subscriber)
    } else {
      for (const frame of framesOf(events, sequence)) this.#push(topic, frame)
      if (topic.isSent) {
        for (const subscriber of topic.live) {
          if (subscriber.sequence < sequence) subscriber.reached(result)
        }
      }
    }
    const whole = result.whole && new Frame(result.whole, sequence)
    for (const subscriber of waiting) {
      if (subscriber.state !== 'reading' || !this.#hasRoom(subscriber)) continue
      this.#catchUpLater(subscriber.client)
      if (whole === undefined) {
        this.#readLarge(subscriber)
      } else {
        // It has had its turn, and waits for the room of its other places like others.
        this.#admitted.delete(subscriber.client)
        this.#sender.send(subscriber, whole)
        subscriber.reached(result)
        subscriber.state = 'live'
        topic.live.add(subscriber)
      }
    }
  }

  /** Has somebody sent a value in blocks, when its turn has come. */
  #readLarge(subscriber: Subscriber): void {
    const { client, topic } = subscriber
    topic.live.delete(subscriber)
    // It is told the whole in any case.
    subscriber.since = undefined
    if (!this.#hasRoom(subscriber)) return
    subscriber.state = 'reading'
    client.beginCatchingUp().addLarge(subscriber)
    this.#catchUpLater(client)
  }

  /** Sends a value in blocks, as fast as the client takes them. What happens meanwhile is read afterwards. */
  async #sendLarge(subscriber: Subscriber): Promise<void> {
    const { client, topic } = subscriber
    const gone = new AbortController()
    const forget = client.onGone(() => gone.abort())
    try {
      // Until it is open, and it may wait for its place, the client is told what else happens.
      const value = await this.#source.readLarge(topic.target, gone.signal)
      // It may have been ended meanwhile, and something else have its name; or the stream.
      if (subscriber.state !== 'reading' || client.isEnding || this.#isClosed) {
        await giveUp(value.blocks)
        return
      }
      this.#sender.flushClient(client)
      client.isBusy = true
      // It is read for no more, and another one may be.
      this.#wake()
      const { before, after } = client.wholeFrame(subscriber, value.id)
      await client.writeBlocks(before, value.blocks, after)
      if (client.isGone) return
      this.#meter.events++
      client.isBusy = false
      subscriber.reached(value)
      if (subscriber.state === 'reading') this.#read(subscriber, value.id, value.known)
    } catch (error) {
      if (client.isGone || this.#isClosed) return
      if (error instanceof Refusal && !client.isBusy) this.#notOpened(subscriber, error)
      else this.#giveUp([subscriber], client.isBusy ? brokeOff(error) : error)
    } finally {
      forget()
      client.catchingUp?.endLarge()
      this.#catchUpLater(client)
    }
  }

  /** A value in blocks cannot be had now: it is tried again, or where it cannot be shown, read as others are. */
  #notOpened(subscriber: Subscriber, { status }: Refusal): void {
    const { client, state } = subscriber
    if (state !== 'reading') return
    if (status !== 503) {
      this.#read(subscriber, undefined)
      return
    }
    const catchingUp = client.beginCatchingUp()
    catchingUp.delayLarge(subscriber)
    this.#timers.later(busyDelayMs, () => {
      catchingUp.endDelay()
      this.#catchUpLater(client)
    })
  }

  /** Does at the end of this turn of the event loop what there is to do. */
  #wake(): void {
    if (this.#isClosed) return
    this.#flushing ??= setImmediate(() => {
      this.#flushing = undefined
      for (const client of this.#catchingUp) {
        this.#catchingUp.delete(client)
        // Else it will be drained.
        if (client.pendingBytes < aheadBytes) this.#catchUp(client)
      }
      this.#beginReadings()
      this.#sender.flush()
      this.#admit()
    })
  }
}

function hasFollowed(topics: ReadonlySet<Topic>): boolean {
  for (const { isFollowed } of topics) if (isFollowed) return true
  return false
}

/** Whether somebody of a client is being brought up to date, and has been sent nothing of it. */
function isReadFor({ isBusy, catchingUp }: StreamClient): boolean {
  return !isBusy && catchingUp?.isUnderWay === true
}

/** Whether all take events as they are framed for who watches nothing else. */
function isFramed({ subscribers }: ReadGroup): boolean {
  return subscribers.every(({ name }) => name === undefined)
}

/** A piece that is sent to so many, and released when it has left to the last of them. */
function forAll(piece: FramedPiece, takers: number): FramedPiece {
  const { release } = piece
  if (release === undefined || takers === 1) return piece
  let left = takers
  if (left === 0) release()
  return {
    ...piece,
    release: () => {
      if (--left === 0) release()
    },
  }
}

/** Ends blocks that nobody wants. They are begun for that: a generator does not hear of it before. */
async function giveUp(blocks: LargeValue['blocks']): Promise<void> {
  try {
    for await (const _ of blocks) return
  } catch {
    // Then they have ended as well.
  }
}

/** What ends a stream, whatever it was: a part of an event has left, behind which nothing else can be sent. */
function brokeOff(cause: unknown): Error {
  return new Error('A value broke off', { cause })
}

function positionOf({ sequence, id }: Position): Position {
  return { sequence, id }
}

function framesOf(events: readonly StreamEvent[], sequence: number): Frame[] {
  return events.map((event) => new Frame(event, sequence))
}
