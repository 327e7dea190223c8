import { createHash } from 'node:crypto'
import { TreeError, childPath, parseEventId } from '@elkyn/tree'
import type { ChangeCursor, TreeSnapshot, TreeStore } from '@elkyn/tree'
import { listingBlocks } from '../listing.ts'
import { indexRefusal, queryBlocks } from '../query-answer.ts'
import { tooMuchData } from '../read.ts'
import { Refusal } from '../refusal.ts'
import { nullBlocks } from '../response.ts'
import type { Steps } from '../steps.ts'
import { changesFrom } from '../changes-from.ts'
import { changeEvents } from './change-events.ts'
import type { ChangeEvent } from './change-events.ts'
import { Elsewhere } from './elsewhere.ts'
import { wholeAfter, wholeBefore } from './event-frame.ts'
import { FramedEvents, maxFramedBytes, maxWholeBytes } from './framed-events.ts'
import type { FramedPiece } from './framed-events.ts'
import { keyBytes, keySet } from './key-bytes.ts'
import { pairFrame } from './pair-frame.ts'
import { concerns, isFollowed, watchedPath } from './stream-target.ts'
import type { StreamTarget, Written } from './stream-target.ts'
import { windowEvents } from './window-events.ts'

/** What is to be read for those who watch the same thing and know the same of it. Plain data. */
export interface StreamJob {
  readonly target: StreamTarget
  /** Id of the last event that they have; without it they know nothing. */
  readonly since?: string | undefined
  /** What else of an earlier result says what they know. */
  readonly known?: Known | undefined
  /** Whether somebody else waits for the whole, too. */
  readonly wantsWhole?: boolean
  /** What was missed may come as one piece of framed events, of about so many bytes at most. Default: it may not. */
  readonly framedBytes?: number
}

/** What there is to know of a result before its changes can be told. */
export interface Known {
  /** Digest of a whole value. */
  readonly digest?: string
  /** Keys of the children in the result of a query, a line for each: who only hands on a million of them parses none. */
  readonly keys?: Uint8Array | undefined
}

/** An event that is not framed yet. */
export interface StreamEvent {
  /** None for the messages of `/.watch`. */
  readonly name: 'put' | 'patch' | undefined
  readonly json: Uint8Array
  readonly id: string | undefined
}

/** What a job came to. */
export interface StreamResult {
  /** What is told reaches up to this change. */
  readonly sequence: number
  readonly id: string | undefined
  readonly events: readonly StreamEvent[]
  /** Instead of the events, where it was asked for and they all come from the log. */
  readonly framed?: FramedPiece | undefined
  /** The first of the events replaces everything, because nothing was known or that was too long ago. */
  readonly isWhole: boolean
  /** The change log does not reach back to where it was to go on. */
  readonly isLost?: boolean
  /** For somebody who knows nothing, where the events say only what has changed. */
  readonly whole?: StreamEvent | undefined
  readonly known?: Known | undefined
  /** There is more in the change log: ask again, from `id` on. */
  readonly isCut?: boolean
  /** The value is too large for one piece, and not among the events: read it as blocks. */
  readonly isLarge?: boolean
}

/** A value that comes in blocks. */
export interface LargeValue {
  readonly sequence: number
  readonly id: string | undefined
  /** What who has it knows, so that it is told what changes from then on. */
  readonly known?: Known
  readonly blocks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** Changes that are looked through at once, where each is read. */
const maxChanges = 2000

/** To read a change takes as long as to copy so many, or to pass over them. */
const readEffort = 8

/** Changes that are copied or passed over at once. */
const maxEffort = maxChanges * readEffort

/** So many bytes of changes are gone through between two pauses, or those of one change: as many as are framed in a piece. */
const bytesAtOnce = maxFramedBytes

/** Changes with more are not read: what they mean is more than may be told, unless most of it is paths. */
const maxReadBytes = 8 * 1024 * 1024

/** What concerns a result is held in so many bytes of changes at most: of more, the result is told anew. */
const maxHeldBytes = 4 * 1024 * 1024

/**
 * Does a job in the calling thread. Yields where many children were looked at, so that something else can be done there.
 * @param lent Memory for a piece of framed events. Default: they come in memory of their own.
 * @throws {Refusal} 400 where the target cannot be shown any more.
 * @throws {TreeError} what the store says of it.
 */
export function* streamJobSteps(
  store: TreeStore,
  job: StreamJob,
  lent?: Buffer,
): Steps<StreamResult> {
  try {
    return yield* resultSteps(store, job, lent)
  } catch (error) {
    throw refusalOf(error, job.target) ?? error
  }
}

function* resultSteps(
  store: TreeStore,
  job: StreamJob,
  lent: Buffer | undefined,
): Steps<StreamResult> {
  const { target, since } = job
  const found =
    isFollowed(target) && since !== undefined ? yield* missed(store, job, since, lent) : undefined
  if (typeof found === 'object') return found
  const snapshot = store.snapshot()
  try {
    if (!isFollowed(target)) return yield* evaluate(store, snapshot, job)
    return yield* whole(store, snapshot, target, found === 'lost')
  } finally {
    snapshot.close()
  }
}

/** @throws {Refusal} 400 where the target cannot be shown, because of its index or its cursor. */
export function checkStreamTarget(store: TreeStore, target: StreamTarget): void {
  const { path, query } = target
  if (query === undefined) return
  const snapshot = store.snapshot()
  try {
    const result = snapshot.query(path, query.query)
    // Only who reads on from a cursor learns whether it still says where.
    if (query.query.cursor !== undefined) result.pageSteps().next()
  } catch (error) {
    throw refusalOf(error, target) ?? error
  } finally {
    snapshot.close()
  }
}

/** The refusal of a target that it is for the client to change; `undefined` for another error. */
function refusalOf(error: unknown, { shownPath }: StreamTarget): Refusal | undefined {
  const isOfCursor = error instanceof TreeError && error.code === 'ERR_INVALID_CURSOR'
  return isOfCursor ? new Refusal(400, error.message) : indexRefusal(error, shownPath)
}

/**
 * Opens a whole value in blocks. Yields as {@link streamJobSteps}.
 * @param bodyOf Gives the blocks as a body, which closes the snapshot at its end.
 */
export function* openWhole<B extends LargeValue['blocks']>(
  store: TreeStore,
  target: StreamTarget,
  bodyOf: (blocks: Iterable<Uint8Array>, snapshot: TreeSnapshot, known: Known) => B,
): Steps<LargeValue & { readonly known: Known; readonly blocks: B }> {
  const snapshot = store.snapshot()
  let isOpened = false
  try {
    const { sequence } = snapshot
    const id = store.idOf(sequence)
    const known = yield* knownOf(snapshot, target)
    const blocks = bodyOf(wholeBlocks(snapshot, target), snapshot, known)
    isOpened = true
    return { sequence, id, known, blocks }
  } finally {
    if (!isOpened) snapshot.close()
  }
}

/** The whole in blocks. Its snapshot is for the caller to close, behind the last one. */
function wholeBlocks(snapshot: TreeSnapshot, target: StreamTarget): Iterable<Uint8Array> {
  return blocksOf(snapshot, target) ?? nullBlocks
}

function blocksOf(snapshot: TreeSnapshot, target: StreamTarget): Iterable<Uint8Array> | undefined {
  const { path, form, listing, query } = target
  if (listing !== undefined) return listingBlocks(snapshot, path, listing)
  if (query !== undefined) return queryBlocks(snapshot, target, query)
  return snapshot.jsonBlocks(path, form)
}

/** What was missed; `lost` where the log does not reach back so far, and `unsaid` where it does not carry a value. */
function* missed(
  store: TreeStore,
  { target, framedBytes }: StreamJob,
  since: string,
  lent: Buffer | undefined,
): Steps<StreamResult | 'lost' | 'unsaid'> {
  const { id, pairs } = parseEventId(since)
  const events =
    framedBytes === undefined
      ? new EventCollector(target)
      : new FramedEvents(target, framedBytes, lent)
  using changes = changesFrom(store, id)
  let count = 0
  let effort = 0
  let bytesRead = 0
  while (changes.next()) {
    // The first one may have been told in part.
    const skipped = count === 0 ? pairs : 0
    const copied = skipped === 0 ? events.addCopied(changes, maxEffort - effort) : 0
    if (copied === 0 && !addChange(events, changes, target, skipped)) return 'unsaid'
    count += Math.max(copied, 1)
    effort += copied === 0 ? readEffort : copied
    if (events.isFull || effort >= maxEffort) break
    if (changes.bytesRead - bytesRead < bytesAtOnce) continue
    bytesRead = changes.bytesRead
    changes.idle()
    yield
  }
  if (count === 0) return 'lost'
  const { sequence, id: lastId } = changes
  const isCut = changes.next()
  return { sequence, id: lastId, ...events.take(), isWhole: false, isCut }
}

/** Adds what the change means that the cursor is at, but for so many of its pairs. @returns false where that cannot be said. */
function addChange(
  events: FramedEvents | EventCollector,
  changes: ChangeCursor,
  { path, form }: StreamTarget,
  from: number,
): boolean {
  if (from === Infinity) return true
  // What is elsewhere is passed over before.
  if (changes.bytes > maxReadBytes) return false
  const { change } = changes
  if (from > 0 && from >= change.pairs.length) return true
  const told = changeEvents(change, path, form, { from })
  for (const event of told ?? []) events.add(event)
  return told !== undefined
}

/** Gathers events one by one, for clients that are told more than these. */
class EventCollector {
  readonly #elsewhere: Elsewhere
  readonly #events: StreamEvent[] = []
  #length = 0

  constructor({ path }: StreamTarget) {
    this.#elsewhere = new Elsewhere(pairFrame(path))
  }

  get isFull(): boolean {
    return this.#length >= maxWholeBytes
  }

  add({ name, json, id }: ChangeEvent): void {
    const bytes = Buffer.from(json)
    this.#length += bytes.length
    this.#events.push({ name, json: bytes, id })
  }

  /** Passes over what is elsewhere, as {@link FramedEvents.addCopied} does. */
  addCopied(changes: ChangeCursor, most: number): number {
    return this.#elsewhere.pass(changes, most)
  }

  take(): Pick<StreamResult, 'events'> {
    return { events: this.#events }
  }
}

function* whole(
  store: TreeStore,
  snapshot: TreeSnapshot,
  target: StreamTarget,
  isLost: boolean,
): Steps<StreamResult> {
  const { sequence } = snapshot
  const id = store.idOf(sequence)
  const place = { sequence, id, isLost }
  const event = yield* wholeEvent(snapshot, target, id)
  if (event === undefined) return { ...place, events: [], isWhole: true, isLarge: true }
  return { ...place, events: [event], isWhole: true }
}

/** The event that tells everything; `undefined` where that is large. @throws {Refusal} 400 for more than may be. */
function* wholeEvent(
  snapshot: TreeSnapshot,
  target: StreamTarget,
  id: string | undefined,
): Steps<StreamEvent | undefined> {
  const { maxBytes = Infinity } = target
  const pieces: Uint8Array[] = []
  let length = 0
  for (const block of wholeBlocks(snapshot, target)) {
    length += block.length
    if (length > maxBytes) throw tooMuchData()
    const isLarge = length > maxWholeBytes
    // With a limit its size has to be known before its first byte is sent.
    if (isLarge && maxBytes === Infinity) return undefined
    if (isLarge || block.length === 0) yield
    else pieces.push(block)
  }
  if (length > maxWholeBytes) return undefined
  if (target.isValue === true) return { name: undefined, json: Buffer.concat(pieces), id }
  return { name: 'put', json: Buffer.concat([wholeBefore, ...pieces, wholeAfter]), id }
}

/** Reads what is shown again, unless nothing has changed that concerns it. */
function* evaluate(store: TreeStore, snapshot: TreeSnapshot, job: StreamJob): Steps<StreamResult> {
  const { target, since } = job
  const { sequence } = snapshot
  // The log may not reach back so far any more after a pause.
  const id = store.idOf(sequence)
  const found = since === undefined ? 'lost' : yield* changesSince(store, job, since, sequence)
  const changes = typeof found === 'string' ? undefined : found
  const isLost = since !== undefined && found === 'lost'
  const place = { sequence, id, isLost }
  const now = { ...place, known: yield* knownOf(snapshot, target) }
  const steps = changes && (yield* stepEvents(snapshot, job, changes, now))
  if (steps !== undefined && job.wantsWhole !== true) {
    return { ...now, events: steps, isWhole: false }
  }
  const event = yield* wholeEvent(snapshot, target, place.id)
  if (event === undefined) {
    return { ...now, events: steps ?? [], isWhole: steps === undefined, isLarge: true }
  }
  // Where changes are told one by one, nobody knows a value by its digest.
  const digest = now.known.keys === undefined ? { digest: digestOf(event) } : {}
  const read = { ...place, known: { ...now.known, ...digest }, whole: event }
  const isKnown = digest.digest !== undefined && digest.digest === job.known?.digest
  const isSame = isKnown && (changes !== undefined || found === 'some')
  if (steps !== undefined || isSame) return { ...read, events: steps ?? [], isWhole: false }
  return { ...read, events: [event], isWhole: true }
}

/**
 * The changes that concern the target, up to a sequence number; `some` where no more is told of them than that there
 * are some; `lost` where the log does not reach back so far, and `many` where to look through it would take longer than to
 * read the whole, or more memory than there is for it.
 */
function* changesSince(
  store: TreeStore,
  { target, known }: StreamJob,
  since: string,
  sequence: number,
): Steps<readonly Written[] | 'some' | 'lost' | 'many'> {
  const { id, pairs } = parseEventId(since)
  const found: Written[] = []
  const elsewhere = new Elsewhere(pairFrame(watchedPath(target)))
  using changes = changesFrom(store, id)
  let effort = 0
  let bytesRead = 0
  let heldBytes = 0
  while (changes.next()) {
    if (effort >= maxEffort) return 'many'
    // The first one may have been told in part.
    const isFirst = effort === 0
    const passed = isFirst ? 0 : elsewhere.pass(changes, maxEffort - effort)
    effort += passed === 0 ? readEffort : passed
    if (passed === 0) {
      if (changes.sequence > sequence) return isFirst ? 'lost' : found
      const change = concerning(changes, target, isFirst ? pairs : 0)
      if (change !== undefined) {
        if (known?.keys === undefined) return 'some'
        heldBytes += changes.bytes
        if (change === 'large' || heldBytes > maxHeldBytes) return 'many'
        found.push(change)
      }
    }
    if (changes.bytesRead - bytesRead < bytesAtOnce) continue
    bytesRead = changes.bytesRead
    changes.idle()
    yield
  }
  return effort === 0 ? 'lost' : found
}

/**
 * What the change has written that the cursor is at, where it is more than so many pairs and concerns the target; `large`
 * where it takes more memory than there is to look through it. What is elsewhere was passed over.
 */
function concerning(
  changes: ChangeCursor,
  target: StreamTarget,
  from: number,
): Written | 'large' | undefined {
  if (from === Infinity) return undefined
  if (changes.bytes > maxHeldBytes) return 'large'
  const { change } = changes
  if (!concerns(change, target) || change.pairs.length <= from) return undefined
  // The change holds all that was copied with it.
  const { update, pairs } = change
  return { update, pairs }
}

/** What who is told the whole knows, but for its digest. */
function* knownOf(snapshot: TreeSnapshot, { path, query, isValue }: StreamTarget): Steps<Known> {
  // Whoever is sent whole values is told no changes.
  if (query?.shape !== 'value' || isValue === true) return {}
  return { keys: yield* keyBytes(snapshot.query(path, query.query)) }
}

function digestOf({ json }: StreamEvent): string {
  return createHash('sha1').update(json).digest('base64')
}

/** What has changed of a result that is known; `undefined` where that takes the whole to say. */
function* stepEvents(
  snapshot: TreeSnapshot,
  { target, since, known }: StreamJob,
  changes: readonly Written[],
  now: { readonly id: string | undefined; readonly known: Known },
): Steps<readonly StreamEvent[] | undefined> {
  if (changes.length === 0) return []
  const { path, form } = target
  if (known?.keys === undefined || now.known.keys === undefined) return undefined
  if (now.id === undefined || snapshot.kind(path) !== 'branch') return undefined
  const after = yield* keySet(now.known.keys)
  const isSame = Buffer.compare(known.keys, now.known.keys) === 0
  const events = yield* windowEvents({
    path,
    form,
    before: isSame ? after : yield* keySet(known.keys),
    after,
    changes,
    since: since!,
    id: now.id,
    textOf: (key, room) => textWithin(snapshot.jsonBlocks(childPath(path, key), form), room),
    maxLength: maxWholeBytes,
  })
  return events?.map(({ name, json, id }) => ({ name, json: Buffer.from(json), id }))
}

/** A value as text; `undefined` where it has more bytes than there is room for. */
function textWithin(blocks: Iterable<Uint8Array> | undefined, room: number): string | undefined {
  if (blocks === undefined) return 'null'
  const pieces: Uint8Array[] = []
  let length = 0
  for (const block of blocks) {
    length += block.length
    if (length > room) return undefined
    pieces.push(block)
  }
  return Buffer.concat(pieces).toString()
}
