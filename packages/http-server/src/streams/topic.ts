import { jsonEvent } from './event-frame.ts'
import type { StreamClient } from './stream-client.ts'
import type { Known, StreamEvent } from './stream-job.ts'
import { isFollowed } from './stream-target.ts'
import type { StreamTarget } from './stream-target.ts'

/** A place in the history. */
export interface Position {
  readonly sequence: number
  readonly id: string | undefined
}

/** What it takes to hold an event besides its JSON, in bytes. */
const frameBytes = 512

/** The same for what stands among events in their place. */
const gapBytes = 64

/** An event for all who watch a topic, framed once. */
export class Frame implements Position {
  readonly sequence: number
  readonly name: StreamEvent['name']
  readonly json: Uint8Array
  readonly id: string | undefined
  #bytes: Uint8Array | undefined

  constructor({ name, json, id }: StreamEvent, sequence: number) {
    this.sequence = sequence
    this.name = name
    this.json = json
    this.id = id
  }

  /** What it takes to hold it, in bytes. */
  get heldBytes(): number {
    return frameBytes + this.json.length
  }

  /** As it goes to a client that watches nothing else. */
  get bytes(): Uint8Array {
    return (this.#bytes ??= jsonEvent(this.name, [this.json], this.id))
  }
}

/** Stands among frames for events that are not in memory: they are to be read from `since` on. */
export class Gap {
  readonly sequence: number
  readonly since: string | undefined
  readonly heldBytes: number = gapBytes

  /** @param since Default: each reads from what it has. */
  constructor(sequence: number, since?: string) {
    this.sequence = sequence
    this.since = since
  }
}

/**
 * Somebody who watches a topic.
 *
 *     reading ──result──▶ live
 *     live ──gap in memory──▶ reading
 *     live ──its client is full, or busy with blocks──▶ behind
 *     reading ──the same, or the next piece waits until the last one has left──▶ behind
 *     behind ──drained──▶ reading
 *
 * Invariant: what is sent to it has the sequence numbers behind {@link sequence}, so that nothing comes
 * twice, whichever way it comes.
 */
export class Subscriber {
  readonly client: StreamClient
  readonly topic: Topic
  /** Among several of one client. */
  readonly name: string | undefined
  state: 'reading' | 'live' | 'behind' | 'ended' = 'reading'
  /** It has everything up to this change. */
  sequence = -1
  id: string | undefined
  /** Where reading goes on; `undefined` for the whole. */
  since: string | undefined
  /** Whether `since` is what the client asked for. */
  isResuming: boolean

  constructor(client: StreamClient, topic: Topic, name: string | undefined, since?: string) {
    this.client = client
    this.topic = topic
    this.name = name
    this.since = since
    this.isResuming = since !== undefined
  }

  /** Nothing is sent to it before its client has taken what waits for it: then it is read for, from here on. */
  fallBehind(since: string | undefined): void {
    this.topic.live.delete(this)
    this.state = 'behind'
    this.since = since
    this.client.beginCatchingUp().addBehind(this)
  }

  reached({ sequence, id }: Position): void {
    this.sequence = sequence
    this.id = id
  }
}

/** Those who wait for the same to be read. */
export interface ReadGroup {
  readonly topic: Topic
  readonly since: string | undefined
  /** What they know, where that is more than `since` says. */
  readonly known: Known | undefined
  readonly subscribers: Subscriber[]
}

/** Frames on their way to the clients. */
export interface Batch {
  readonly frames: readonly (Frame | Gap)[]
  /** What it takes to hold them. */
  readonly heldBytes: number
  /** All of them in one piece, where there is no gap. */
  readonly bytes: Uint8Array | undefined
  readonly left: Iterator<Subscriber>
}

/** What many may watch together: one target, and the events that tell of it. */
export class Topic {
  /** Of all topics, in the order in which they were made. */
  readonly number: number
  readonly key: string
  readonly target: StreamTarget
  /** Whether its events come from the changes alone. */
  readonly isFollowed: boolean
  readonly subscribers: Set<Subscriber> = new Set()
  readonly live: Set<Subscriber> = new Set()
  /** Those who wait for a reading that has not begun, by where it begins. */
  readonly groups: Map<string | undefined, ReadGroup> = new Map()
  /** Frames that no client has been sent, and what it takes to hold them. */
  unsent: (Frame | Gap)[] = []
  unsentBytes = 0
  batch: Batch | undefined
  /** What somebody has who has gone and may come back: what happens since is framed as if it were sent. */
  absent: Position | undefined
  /** Nobody was sent what happened last up to this change. */
  untold = -1
  /** Readings on their way. What happens meanwhile is kept for them. */
  readings = 0
  kept: (Frame | Gap)[] = []
  keptBytes = 0
  /** What was thrown away of it, because it was too much, had sequence numbers up to this. */
  forgotten = -1

  // Of a topic that is read again at each change: what its subscribers know.
  isDirty = false
  isEvaluating = false
  known: Known | undefined
  position: Position | undefined

  constructor(number: number, key: string, target: StreamTarget) {
    this.number = number
    this.key = key
    this.target = target
    this.isFollowed = isFollowed(target)
  }

  /** Whether somebody watches it, or may come back to it. */
  get isWatched(): boolean {
    return this.subscribers.size > 0 || this.absent !== undefined
  }

  /** Whether what happens is framed for somebody who has all before it. */
  get isTold(): boolean {
    return this.live.size > 0 || this.absent !== undefined
  }

  /** Whether nothing waits to be sent to those who are up to date. */
  get isSent(): boolean {
    return this.unsent.length === 0 && this.batch === undefined
  }

  /** A place that somebody has reached who is told what comes behind it; `undefined` where nobody is told. */
  get toldFrom(): Position | undefined {
    for (const subscriber of this.live) return subscriber
    return this.absent
  }

  /** Whether somebody is told what it evaluates to: who is reading looks for itself. */
  get isAwaited(): boolean {
    return this.live.size > 0 || this.groups.has(undefined)
  }

  /** Says that up to here, of all that was heard of, nothing concerns it that is not evaluated or to be. */
  unchangedUntil(heard: Position | undefined): void {
    if (this.isDirty || this.isEvaluating || this.position === undefined) return
    if (heard !== undefined && heard.sequence > this.position.sequence) this.position = heard
  }

  /** Keeps what happens for those who are reading. */
  keep(frame: Frame | Gap, maxKeptBytes: number): void {
    if (this.readings === 0) return
    this.kept.push(frame)
    this.keptBytes += frame instanceof Frame ? frame.json.length : 0
    if (this.keptBytes > maxKeptBytes) this.forget(frame.sequence)
  }

  /** Throws away what is kept, which those who are reading will have to read. */
  forget(sequence: number): void {
    this.kept = []
    this.keptBytes = 0
    this.forgotten = sequence
  }

  endReading(): void {
    this.readings--
    if (this.readings > 0) return
    this.forget(-1)
  }

  /** Adds to what is to be sent. */
  add(frame: Frame | Gap): void {
    this.unsent.push(frame)
    this.unsentBytes += frame.heldBytes
  }

  /** Forgets what is to be sent, which those who are up to date will have to read. */
  dropUnsent(sequence: number): void {
    this.unsent = []
    this.unsentBytes = 0
    this.add(new Gap(sequence))
  }

  /** Forgets it, and nobody has to know. */
  forgetUnsent(): void {
    this.unsent = []
    this.unsentBytes = 0
    this.batch = undefined
  }

  /** What it takes to hold all that waits to be sent. */
  get waitingBytes(): number {
    return this.unsentBytes + (this.batch?.heldBytes ?? 0)
  }

  /** Takes what is to be sent. */
  beginBatch(): Batch | undefined {
    if (this.unsent.length === 0) return undefined
    const { unsent: frames, unsentBytes: heldBytes } = this
    this.unsent = []
    this.unsentBytes = 0
    const bytes = frames.every((frame) => frame instanceof Frame) ? joined(frames) : undefined
    this.batch = { frames, heldBytes, bytes, left: this.live.values() }
    return this.batch
  }
}

/** The bytes of some frames in one piece: each write of its own costs more than what it sends. */
export function joined(frames: readonly Frame[]): Uint8Array {
  if (frames.length === 1) return frames[0]!.bytes
  return Buffer.concat(frames.map(({ bytes }) => bytes))
}
