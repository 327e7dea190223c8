// A process with the clients: readers of streams, and one writer.
import assert from 'node:assert/strict'
import process from 'node:process'
import { tellParent } from '../child.ts'
import { dialects } from './dialect.ts'
import type { DialectName } from './dialect.ts'
import { Readers } from './readers.ts'
import { Writer } from './writer.ts'

interface Target {
  readonly port: number
  readonly dialect: DialectName
}

export type StreamLoadMessage =
  /** Opens a stream on each of these topics, beside those that are open. */
  | ({ readonly kind: 'open'; readonly topics: readonly string[] } & Target)
  | { readonly kind: 'close' }
  /** Sends events to one topic, so many together, each group when the last reader has had the one before. */
  | ({ readonly kind: 'fan out'; readonly groups: number; readonly burst: number } & Target)
  /** Sends so many events to topics at random, 50 on their way at a time. */
  | ({ readonly kind: 'scatter'; readonly events: number; readonly topics: number } & Target)
  /** Sends an event to one topic every so often. */
  | ({ readonly kind: 'pace'; readonly events: number; readonly everyMs: number } & Target)
  /** Reads one stream until it has so many bytes, or to its end. */
  | { readonly kind: 'read'; readonly port: number; readonly request: string; readonly end: string }

export interface Elapsed {
  readonly elapsedMs: number
  readonly bytes: number
}

/** How long it takes until a reader has an event, over all readers and events, in milliseconds. */
export interface Latencies {
  readonly sent: Percentiles
  /** Since the write was answered; 0 for an event that came before. */
  readonly answered: Percentiles
}

export interface Percentiles {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** The topic of all that goes to one. */
const feed = 'feed'
const inFlight = 50
let readers = new Readers()
let writer: Writer | undefined
let lastEvent = 0

process.on('message', (message: StreamLoadMessage) => void answer(message).then(tellParent))
process.once('disconnect', () => process.exit())
tellParent({})

async function answer(message: StreamLoadMessage): Promise<object> {
  switch (message.kind) {
    case 'open':
      writer?.close()
      writer = new Writer(message.port)
      await open(message)
      return {}
    case 'close':
      readers.close()
      readers = new Readers()
      writer?.close()
      writer = undefined
      return {}
    case 'fan out':
      return fanOut(message)
    case 'scatter':
      return scatter(message)
    case 'pace':
      return pace(message)
    case 'read':
      return Readers.readOne(message.port, message.request, message.end)
  }
  return message satisfies never
}

async function open({
  port,
  dialect,
  topics,
}: StreamLoadMessage & { kind: 'open' }): Promise<void> {
  const { subscribe, beginsWithValue } = dialects[dialect]
  // Behind the head, or the first event.
  await readers.open(port, topics.map(subscribe), beginsWithValue ? '\n\n' : 'HTTP/1.1 200')
}

async function fanOut({
  dialect,
  groups,
  burst,
}: StreamLoadMessage & { kind: 'fan out' }): Promise<Elapsed> {
  const before = readers.bytes
  const begin = performance.now()
  for (let group = 0; group < groups; group++) {
    const events = nextEvents(burst)
    await publish(dialect, feed, events)
    await readers.lastHasAll(events.length)
  }
  await readers.allAreLevel()
  return { elapsedMs: performance.now() - begin, bytes: readers.bytes - before }
}

async function scatter({
  dialect,
  events,
  topics,
}: StreamLoadMessage & { kind: 'scatter' }): Promise<Elapsed> {
  const bytes = readers.bytes
  const before = readers.events
  const begin = performance.now()
  for (let sent = 0; sent < events; sent += inFlight) {
    const { publish: requestsOf } = dialects[dialect]
    const all = nextEvents(Math.min(inFlight, events - sent)).flatMap((event) =>
      requestsOf(topicOf(Math.floor(Math.random() * topics)), [event]),
    )
    await writer!.send(all)
  }
  await readers.eventsReached(before + events)
  const elapsedMs = performance.now() - begin
  assert.equal(readers.events - before, events, 'Each write has to reach one reader')
  return { elapsedMs, bytes: readers.bytes - bytes }
}

async function pace({
  dialect,
  events,
  everyMs,
}: StreamLoadMessage & { kind: 'pace' }): Promise<Latencies> {
  const first = lastEvent + 1
  const arrivals = readers.recordArrivals(first, events)
  const sentAt: number[] = []
  const answeredAt: number[] = []
  for (let sent = 0; sent < events; sent++) {
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    const [event] = nextEvents(1)
    sentAt.push(performance.now())
    await publish(dialect, feed, [event!])
    answeredAt.push(performance.now())
  }
  await readers.lastHasAll(events)
  await readers.allAreLevel()
  assert.equal(
    arrivals.flat().length,
    events * readers.count,
    'Each event has to reach each reader',
  )
  return { sent: percentiles(arrivals, sentAt), answered: percentiles(arrivals, answeredAt) }
}

function percentiles(
  arrivals: readonly (readonly number[])[],
  since: readonly number[],
): Percentiles {
  const waits = arrivals
    .flatMap((times, index) => times.map((time) => Math.max(0, time - since[index]!)))
    .toSorted((a, b) => a - b)
  const at = (part: number): number => waits[Math.floor(waits.length * part)]!
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function publish(dialect: DialectName, topic: string, events: readonly number[]): Promise<void> {
  return writer!.send(dialects[dialect].publish(topic, events))
}

function nextEvents(count: number): number[] {
  return Array.from({ length: count }, () => ++lastEvent)
}

function topicOf(number: number): string {
  return `rooms/${number}`
}
