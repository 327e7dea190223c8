import { fromJson, parsePath } from '@elkyn/tree'
import type { Change, TreeValue } from '@elkyn/tree'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { OutgoingStream } from '../exchange.ts'
import { silentLog } from '../log.ts'
import { Refusal } from '../refusal.ts'
import { Broadcaster } from './broadcaster.ts'
import type { BroadcasterOptions } from './broadcaster.ts'
import { ReadingQueue } from './reading-queue.ts'
import { StreamClient } from './stream-client.ts'
import type { LargeValue, StreamEvent, StreamJob, StreamResult } from './stream-job.ts'
import { StreamMeter } from './stream-meter.ts'
import type { OnChanges, StreamSource } from './stream-source.ts'
import type { StreamTarget } from './stream-target.ts'

// What several threads answer in which order is here in the hands of the test, and so is how much is done in a turn: no time
// goes by, however busy the machine is, unless the test lets it.

beforeEach(() => {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0)
  onTestFinished(() => clock.mockRestore())
})

interface Asked extends PromiseWithResolvers<StreamResult> {
  readonly job: StreamJob
}

const knownOfLarge = { keys: Buffer.from('a') }

/** A source that answers when it is told to. */
class ScriptedSource implements StreamSource {
  readonly asked: Asked[] = []
  tell: OnChanges = () => {}
  #sequence = 0
  /** Says that changes were lost. */
  lose: () => void = () => {}

  /** How often somebody listens. */
  listeners = 0

  async listen(onChanges: OnChanges, onLost: () => void): Promise<() => void> {
    this.tell = onChanges
    this.lose = onLost
    this.listeners++
    return () => this.listeners--
  }

  async check(): Promise<void> {
    // Every target can be shown.
  }

  run(job: StreamJob): Promise<StreamResult> {
    const asked = { job, ...Promise.withResolvers<StreamResult>() }
    this.asked.push(asked)
    return asked.promise
  }

  async readLarge(): Promise<LargeValue> {
    const sequence = this.#sequence
    return { sequence, id: idOf(sequence), known: knownOfLarge, blocks: [Buffer.from('"large"')] }
  }

  /** Tells that something was written at a path, and what, if that is not to be read. */
  changed(sequence: number, path: string, written?: TreeValue): void {
    const pairs = [{ path: parsePath(path), value: written }]
    this.#sequence = sequence
    this.tell([{ sequence, id: idOf(sequence), time: 0, pairs } satisfies Change])
  }

  /** The last reading of a path that was asked for. */
  last(path: string): Asked {
    return this.asked.findLast(({ job }) => job.target.path === path)!
  }
}

class Recorded implements OutgoingStream {
  pendingBytes = 0
  onDrain: (() => void) | undefined
  text = ''
  /** Called with each write. */
  onWrite: () => void = () => {}

  write(bytes: Uint8Array): boolean {
    this.onWrite()
    this.text += Buffer.from(bytes).toString()
    return true
  }

  writeLent(bytes: Uint8Array, release: () => void): boolean {
    this.write(bytes)
    release()
    return true
  }

  end(): void {
    // Nothing waits.
  }

  destroy(): void {
    // Nobody is at the other end.
  }

  get ids(): readonly string[] {
    return Array.from(this.text.matchAll(/^id: (.*)$/gm), ([, id]) => id!)
  }
}

function idOf(sequence: number): string {
  return `e-${sequence}-m`
}

function value(text: string, sequence: number): StreamEvent {
  return { name: undefined, json: Buffer.from(text), id: idOf(sequence) }
}

function watched(path: string, isValue: boolean): StreamTarget {
  return { path: parsePath(path), shownPath: parsePath(path), form: 'plain', isValue }
}

/** Lets everything happen that needs nothing from outside. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const lingerMs = 60_000
const maxPendingBytes = 1e9

function started(given: Partial<BroadcasterOptions> = {}) {
  const source = new ScriptedSource()
  const meter = new StreamMeter(maxPendingBytes)
  const limits = { maxKeptBytes: 1e6, maxUnsentBytes: 1e6, maxKnownBytes: 1e6, recentBytes: 1e6 }
  const lingering = { lingerMs, maxLingering: 10 }
  const options = { ...limits, ...lingering, log: silentLog, onRefused: () => {}, ...given }
  const broadcaster = new Broadcaster(source, options, meter)
  const connect = (stream = new Recorded()) => {
    const client = new StreamClient(stream, meter, 1e6)
    client.onDrain(() => broadcaster.drained(client))
    return { stream, client }
  }
  return {
    source,
    broadcaster,
    meter,
    ...connect(),
    connect,
    [Symbol.dispose]: () => broadcaster.close(),
  }
}

/** Somebody who was told of the changes 1 to `last` of `/a`. */
async function watchedUpTo(
  last: number,
  valueOf: (sequence: number) => unknown,
  options?: Partial<BroadcasterOptions>,
) {
  const at = started(options)
  const { source, broadcaster, client } = at
  broadcaster.subscribe(client, watched('/a', false), undefined)
  await settled()
  source.last('/a').resolve({ sequence: 1, id: idOf(1), isWhole: true, events: [] })
  await settled()
  for (let sequence = 2; sequence <= last; sequence++) {
    source.changed(sequence, '/a', fromJson(valueOf(sequence)))
    await settled()
  }
  return at
}

/** Lets each write take so long, in milliseconds, on a clock that stands still otherwise. */
function timed(streams: readonly Recorded[], durationMs: number): void {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => clock.mockRestore())
  for (const stream of streams) stream.onWrite = () => (now += durationMs)
}

test('a value that was read before the last evaluation is not taken for the newest', async () => {
  using at = started()
  const { source, broadcaster, connect, client, stream } = at
  broadcaster.subscribe(connect().client, watched('/a', true), undefined)
  await settled()
  const first = { sequence: 1, id: idOf(1), isWhole: true, events: [], known: {} }
  source.last('/a').resolve({ ...first, whole: value('1', 1) })
  await settled()
  broadcaster.subscribe(client, watched('/a', true), idOf(1))
  await settled()
  expect(source.asked.map(({ job }) => job.since)).toEqual([undefined, idOf(1)])
  // One thread reads at change 1; another one evaluates at change 2, and is faster.
  const reading = source.last('/a')
  source.changed(2, '/a')
  await settled()
  const whole = value('2', 2)
  const place = { sequence: 2, id: idOf(2), isWhole: true, known: { digest: 'two' } }
  source.last('/a').resolve({ ...place, events: [whole], whole })
  await settled()
  reading.resolve({ sequence: 1, id: idOf(1), events: [], isWhole: false, known: {} })
  await settled()
  expect(source.asked.slice(3).map(({ job }) => job)).toMatchObject([{ wantsWhole: true }])
  expect(stream.text).toBe('')
  source.last('/a').resolve({ ...place, events: [], isWhole: false, whole })
  await settled()
  expect(stream.text).toContain('data: 2\n')
})

test('who was sent a large value is told what changed, though others have come further', async () => {
  using at = started()
  const { source, broadcaster, connect, client } = at
  const large = { sequence: 1, id: idOf(1), isWhole: true, isLarge: true, events: [], known: {} }
  broadcaster.subscribe(client, watched('/a', true), undefined)
  await settled()
  source.changed(1, '/a')
  source.last('/a').resolve(large)
  await settled()
  const reading = source.last('/a')
  expect(reading.job).toMatchObject({ since: idOf(1), known: knownOfLarge })
  const other = connect()
  broadcaster.subscribe(other.client, watched('/a', true), undefined)
  await settled()
  source
    .last('/a')
    .resolve({ ...large, sequence: 3, id: idOf(3), isLarge: false, whole: value('3', 3) })
  await settled()
  expect(other.stream.text).toContain('data: 3\n')
  const known = { keys: Buffer.from('b') }
  reading.resolve({ sequence: 2, id: idOf(2), events: [value('2', 2)], isWhole: false, known })
  await settled()
  expect(source.last('/a').job).toMatchObject({ since: idOf(2), known })
})

test('what was evaluated and has not left is not among what a client has', async () => {
  using at = started()
  const { source, broadcaster, client, stream } = at
  broadcaster.subscribe(client, watched('/a', true), undefined)
  await settled()
  const first = { sequence: 1, id: idOf(1), isWhole: true }
  source.last('/a').resolve({ ...first, events: [], known: {}, whole: value('"A1"', 1) })
  await settled()
  source.changed(2, '/a')
  await settled()
  const place = { sequence: 2, id: idOf(2), isWhole: true }
  source.last('/a').resolve({ ...place, events: [value('"A2"', 2)], known: {} })
  // Until the next turn of the event loop, in which it is sent: a keep-alive may come before.
  for (let step = 0; step < 20; step++) await Promise.resolve()
  expect(stream.text).not.toContain('A2')
  expect(broadcaster.lowest(client)?.id).toBe(idOf(1))
  await settled()
  expect(stream.text).toContain('A2')
  expect(broadcaster.lowest(client)?.id).toBe(idOf(2))
})

test('no id is sent before each subscription of a stream had its first event', async () => {
  using at = started()
  const { source, broadcaster, client, stream } = at
  broadcaster.subscribe(client, watched('/a', false), undefined, 'a')
  // The target of another one is being looked at.
  client.pendingSubscriptions++
  await settled()
  const put = { ...value('{"path":"/","data":1}', 5), name: 'put' } as const
  source.last('/a').resolve({ sequence: 5, id: idOf(5), isWhole: true, events: [put] })
  await settled()
  expect(stream.text).toContain('"data":1')
  expect(stream.ids).toEqual([])
  expect(broadcaster.lowest(client)).toBe(undefined)
  client.pendingSubscriptions--
  expect(broadcaster.lowest(client)?.id).toBe(idOf(5))
})

test('who comes back is sent from memory what others were told, and nothing is read', async () => {
  using at = await watchedUpTo(5, Number)
  const { source, broadcaster, stream, meter, connect } = at
  for (const since of [1, 3, 4]) {
    const again = new Recorded()
    broadcaster.subscribe(connect(again).client, watched('/a', false), idOf(since))
    await settled()
    const told = stream.text.slice(stream.text.indexOf(`"data":${since + 1}}`))
    expect(again.text.slice(again.text.indexOf('"data"'))).toBe(told)
  }
  expect(meter.resumes).toBe(3)
  // They all are up to date.
  source.changed(6, '/a', fromJson(6))
  await settled()
  expect(source.asked.length).toBe(1)
  expect(meter.events).toBe(4 + 4 + 2 + 1 + 4)
})

test('what happened while nobody was told is not taken for known', async () => {
  using at = await watchedUpTo(3, Number, { lingerMs: 0 })
  const { source, broadcaster, client, connect } = at
  const [subscriber] = client.subscribers
  broadcaster.unsubscribe(subscriber!)
  const again = new Recorded()
  broadcaster.subscribe(connect(again).client, watched('/a', false), idOf(3))
  await settled()
  expect([again.text, source.last('/a').job.since]).toEqual(['', idOf(3)])
  source.changed(5, '/a', fromJson(5))
  // It reads 4, too, which nobody heard of; then once more, since at first it did not hear of anything.
  for (let round = 0; round < 2; round++) {
    source.last('/a').resolve({ sequence: 4, id: idOf(4), isWhole: false, events: [] })
    await settled()
  }
  expect(again.ids).toEqual([idOf(5)])
  const late = new Recorded()
  broadcaster.subscribe(connect(late).client, watched('/a', false), idOf(3))
  await settled()
  expect([late.text, source.last('/a').job.since]).toEqual(['', idOf(3)])
})

test('what nobody was told is not left out of what others were, in whatever turn that is sent', async () => {
  using at = await watchedUpTo(2, Number)
  const { source, broadcaster, client, connect } = at
  const [subscriber] = client.subscribers
  const late = new Recorded()
  broadcaster.subscribe(connect(late).client, watched('/a', false), undefined)
  await settled()
  // The first is told to one who leaves before it is sent, the second to nobody.
  source.changed(3, '/a', fromJson(3))
  broadcaster.unsubscribe(subscriber!)
  source.changed(4, '/a', fromJson(4))
  await settled()
  const event = { ...value('{"path":"/","data":4}', 4), name: 'put' } as const
  source.last('/a').resolve({ sequence: 4, id: idOf(4), isWhole: true, events: [event] })
  await settled()
  source.changed(5, '/a', fromJson(5))
  await settled()
  expect(late.ids).toEqual([idOf(4), idOf(5)])
  for (const since of [2, 3]) {
    const again = new Recorded()
    broadcaster.subscribe(connect(again).client, watched('/a', false), idOf(since))
    await settled()
    expect([again.text, source.last('/a').job.since]).toEqual(['', idOf(since)])
  }
})

test.each([
  ['others stay', true],
  ['nobody has stayed', false],
])(
  'who has the last event is told what follows, though another reading began in between: %s',
  async (_, doStay) => {
    using at = await watchedUpTo(9, Number)
    const { source, broadcaster, client, connect } = at
    const [subscriber] = client.subscribers
    if (!doStay) broadcaster.unsubscribe(subscriber!)
    // All in one turn.
    source.changed(10, '/a', fromJson(10))
    broadcaster.subscribe(connect().client, watched('/a', false), 'other-1-m')
    source.changed(11, '/a', fromJson(11))
    const again = new Recorded()
    broadcaster.subscribe(connect(again).client, watched('/a', false), idOf(9))
    await settled()
    source.changed(12, '/a', fromJson(12))
    await settled()
    expect(again.ids).toEqual([10, 11, 12].map(idOf))
  },
)

test('a slow client that comes back is sent the next piece when it has taken the last', async () => {
  const large = (sequence: number) => String(sequence).repeat(100_000)
  using at = await watchedUpTo(6, large)
  const { source, broadcaster, connect } = at
  const slow = new Recorded()
  slow.pendingBytes = 100_000
  broadcaster.subscribe(connect(slow).client, watched('/a', false), idOf(1))
  await settled()
  for (const sequence of [2, 3, 4, 5, 6]) {
    expect(slow.ids.at(-1)).toBe(idOf(sequence))
    expect(slow.ids.length).toBe(sequence - 1)
    expect(source.asked.length).toBe(1)
    slow.onDrain?.()
    await settled()
  }
  source.changed(7, '/a', fromJson(7))
  await settled()
  expect(slow.ids.at(-1)).toBe(idOf(7))
  expect(source.asked.length).toBe(1)
})

test('a value that was large meanwhile is told again when it is what it was before', async () => {
  using at = started()
  const { source, broadcaster, connect, client, stream } = at
  broadcaster.subscribe(client, watched('/a', true), undefined)
  await settled()
  const one = value('1', 1)
  const known = { digest: 'one' }
  source
    .last('/a')
    .resolve({ sequence: 1, id: idOf(1), isWhole: true, events: [], known, whole: one })
  await settled()
  source.changed(2, '/a')
  await settled()
  expect(source.last('/a').job.known).toEqual(known)
  const large = { isWhole: true, isLarge: true, events: [], known: {} }
  source.last('/a').resolve({ sequence: 2, id: idOf(2), ...large })
  await settled()
  expect(stream.text).toContain('data: "large"\n')
  // What happened while that was sent is being read when the next change comes.
  const reading = source.last('/a')
  expect(reading.job).toMatchObject({ since: idOf(2), known: knownOfLarge })
  source.changed(3, '/a')
  await settled()
  expect(source.last('/a')).toBe(reading)
  broadcaster.subscribe(connect().client, watched('/a', true), undefined)
  await settled()
  const evaluation = source.last('/a')
  reading.resolve({ sequence: 2, id: idOf(2), isWhole: false, events: [], known: {} })
  await settled()
  expect(evaluation.job.known).toEqual({})
})

test('what was read when changes were lost is read on once, whoever else reads meanwhile', async () => {
  using at = started()
  const { source, broadcaster, client } = at
  const result = { sequence: 3, id: idOf(3), isWhole: false, events: [] }
  broadcaster.subscribe(client, watched('/a', false), undefined)
  await settled()
  source.last('/a').resolve(result)
  await settled()
  broadcaster.subscribe(client, watched('/a', false), idOf(1))
  await settled()
  const begunBefore = source.last('/a')
  source.lose()
  await settled()
  const ofFirst = source.last('/a')
  expect(ofFirst).not.toBe(begunBefore)
  begunBefore.resolve(result)
  await settled()
  const ofSecond = source.last('/a')
  expect(ofSecond.job.since).toBe(idOf(3))
  ofFirst.resolve(result)
  await settled()
  expect(source.last('/a')).toBe(ofSecond)
  ofSecond.resolve(result)
  await settled()
  expect(source.last('/a')).toBe(ofSecond)
})

test('what is read again goes on from the last change before the one that concerns it', async () => {
  using at = started()
  const { source, broadcaster, client } = at
  broadcaster.subscribe(client, watched('/a', true), undefined)
  await settled()
  const place = { sequence: 1, id: idOf(1), isWhole: true, events: [], known: {} }
  source.last('/a').resolve({ ...place, whole: value('1', 1) })
  await settled()
  // However many they are, nobody has to look through them.
  for (let sequence = 2; sequence < 10; sequence++) source.changed(sequence, '/b')
  source.changed(10, '/a')
  source.changed(11, '/b')
  await settled()
  expect(source.last('/a').job.since).toBe(idOf(9))
  source.changed(12, '/b')
  source.changed(13, '/a')
  source.last('/a').resolve({ ...place, sequence: 11, id: idOf(11) })
  await settled()
  expect(source.last('/a').job.since).toBe(idOf(11))
})

test('many places with one client each are told in turns of a millisecond', async () => {
  using at = started()
  const { source, broadcaster, connect } = at
  const streams = Array.from({ length: 50 }, (_, index) => {
    const { stream, client } = connect()
    broadcaster.subscribe(client, watched(`/a/${index}`, false), undefined)
    return stream
  })
  while (source.asked.length < 50) {
    await settled()
    for (const { resolve } of source.asked) {
      resolve({ sequence: 1, id: idOf(1), isWhole: true, events: [] })
    }
  }
  await settled()
  timed(streams, 0.15)
  source.changed(2, '/a', fromJson(1))
  await new Promise((resolve) => setImmediate(resolve))
  const told = () => streams.filter(({ text }) => text.includes('put')).length
  expect(told()).toBe(7)
  await settled()
  expect(told()).toBe(50)
})

test('a place that takes each turn keeps nobody else from being told', async () => {
  using at = started()
  const { source, broadcaster, connect } = at
  const crowd = Array.from({ length: 100 }, () => {
    const { stream, client } = connect()
    broadcaster.subscribe(client, watched('/a', false), undefined)
    return stream
  })
  const named = connect()
  broadcaster.subscribe(named.client, watched('/b', false), undefined, 'b')
  const other = connect()
  broadcaster.subscribe(other.client, watched('/c', false), undefined)
  await settled()
  for (const { resolve } of source.asked) {
    resolve({ sequence: 1, id: idOf(1), isWhole: true, events: [] })
  }
  await settled()
  timed([...crowd, named.stream, other.stream], 1)
  for (const [index, path] of ['/a', '/b', '/c'].entries()) {
    source.changed(index + 2, path, fromJson(1))
  }
  // The crowd would take seven.
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(crowd.filter(({ text }) => text.includes('put')).length).toBeLessThan(100)
  expect(named.stream.text).toContain('put')
  expect(other.stream.text).toContain('put')
})

/** Somebody who was told of the changes 1 to 3 of `/a`, and has gone. */
async function goneAfterThree(options?: Partial<BroadcasterOptions>) {
  const at = await watchedUpTo(3, (sequence) => sequence, options)
  leave(at.broadcaster, at.client)
  return at
}

function leave(broadcaster: Broadcaster, client: StreamClient): void {
  for (const subscriber of client.subscribers) broadcaster.unsubscribe(subscriber)
}

/** Somebody comes back to a path. @returns the stream, and how often something was read for it. */
async function returned(
  {
    broadcaster,
    connect,
    source,
  }: Pick<ReturnType<typeof started>, 'broadcaster' | 'connect' | 'source'>,
  since: string,
  path = '/a',
) {
  const asked = source.asked.length
  const { client, stream } = connect()
  broadcaster.subscribe(client, watched(path, false), since)
  await settled()
  return { client, stream, readings: source.asked.length - asked }
}

test('who comes back to what nobody else watches is told from memory what happened meanwhile', async () => {
  using at = await goneAfterThree()
  const { source } = at
  source.changed(4, '/a', fromJson(4))
  source.changed(5, '/b', fromJson(5))
  await settled()
  source.changed(6, '/a/x', fromJson(6))
  const { stream, readings } = await returned(at, idOf(3))
  expect(readings).toBe(0)
  source.changed(7, '/a', fromJson(7))
  await settled()
  expect(stream.ids).toEqual([4, 6, 7].map(idOf))
})

test('who comes back to where nothing has happened is told what happens next, and nothing is read', async () => {
  using at = await goneAfterThree()
  at.source.changed(4, '/b', fromJson(4))
  const { client, stream, readings } = await returned(at, idOf(3))
  expect(readings).toBe(0)
  expect(stream.text).toBe('')
  at.source.changed(5, '/a', fromJson(5))
  await settled()
  expect(stream.ids).toEqual([idOf(5)])
  // And again.
  leave(at.broadcaster, client)
  const second = await returned(at, idOf(3))
  expect([second.stream.ids, second.readings]).toEqual([[idOf(5)], 0])
})

test('who was told by a keep-alive how far it has come finds the rest in memory', async () => {
  using at = await watchedUpTo(3, (sequence) => sequence)
  const { source, broadcaster, client } = at
  source.changed(4, '/b', fromJson(4))
  await settled()
  expect(broadcaster.placeOf(client)).toMatchObject({ id: idOf(4) })
  leave(broadcaster, client)
  const quiet = await returned(at, idOf(4))
  expect([quiet.stream.ids, quiet.readings]).toEqual([[], 0])
  leave(broadcaster, quiet.client)
  source.changed(5, '/a', fromJson(5))
  await settled()
  source.changed(6, '/a', fromJson(6))
  await settled()
  const back = await returned(at, idOf(4))
  expect([back.stream.ids, back.readings]).toEqual([[idOf(5), idOf(6)], 0])
  // Nobody was told so by this server.
  const foreign = await returned(at, 'e-4-x')
  expect([foreign.stream.ids, foreign.readings]).toEqual([[], 1])
})

test.each<[string, Partial<BroadcasterOptions>, (source: ScriptedSource) => void]>([
  ['time is over', {}, () => vi.advanceTimersByTime(lingerMs)],
  ['a value is not in memory', {}, (source) => source.changed(4, '/a')],
  [
    'a value is too large to be kept',
    {},
    (source) => source.changed(4, '/a', fromJson('x'.repeat(2e5))),
  ],
  ['changes were lost', {}, (source) => source.lose()],
  ['nothing lingers', { lingerMs: 0 }, () => {}],
])('what was missed is read where %s', async (_, options, happen) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  using at = await goneAfterThree(options)
  const { source } = at
  happen(source)
  await settled()
  source.changed(5, '/a', fromJson(5))
  await settled()
  const { readings } = await returned(at, idOf(3))
  expect(readings).toBe(1)
  expect(source.last('/a').job.since).toBe(idOf(3))
})

test('changes are listened to as long as somebody may come back', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  using at = await goneAfterThree()
  const { source } = at
  vi.advanceTimersByTime(lingerMs - 1)
  expect(source.listeners).toBe(1)
  const { client } = await returned(at, idOf(3))
  vi.advanceTimersByTime(1)
  expect(source.listeners).toBe(1)
  leave(at.broadcaster, client)
  vi.advanceTimersByTime(lingerMs - 1)
  expect(source.listeners).toBe(1)
  vi.advanceTimersByTime(1)
  expect(source.listeners).toBe(0)
})

test('those who have gone first are not waited for where too many have', async () => {
  using at = await goneAfterThree({ maxLingering: 1 })
  const { source, broadcaster, connect } = at
  const { client } = connect()
  broadcaster.subscribe(client, watched('/b', false), undefined)
  await settled()
  source.last('/b').resolve({ sequence: 3, id: idOf(3), isWhole: true, events: [] })
  await settled()
  leave(broadcaster, client)
  expect(await returned(at, idOf(3), '/a')).toMatchObject({ readings: 1 })
  expect(await returned(at, idOf(3), '/b')).toMatchObject({ readings: 0 })
})

test('what waits behind a large value is read once, when that has left', async () => {
  using at = started()
  const { source, broadcaster, client, stream } = at
  const large = '/large'
  const others = ['/a', '/b', '/c', '/d', '/e']
  const place = { sequence: 1, id: idOf(1), events: [] }
  const reading = vi.spyOn(source, 'run').mockImplementation(async ({ target, since }) => {
    const isWhole = since === undefined
    return { ...place, isWhole, isLarge: isWhole && target.path === large }
  })
  const blocks = Array.from({ length: 20 }, () => Buffer.from('1'))
  vi.spyOn(source, 'readLarge').mockResolvedValue({ ...place, blocks })
  const subscribe = (path: string): void => {
    broadcaster.subscribe(client, watched(path, false), undefined, path)
  }
  // A client whose system takes one block at a time.
  stream.write = (bytes) => {
    if (stream.text === '') for (const path of others) subscribe(path)
    stream.text += Buffer.from(bytes).toString()
    setImmediate(() => stream.onDrain?.())
    return false
  }
  subscribe(large)
  for (let round = 0; round < 10; round++) await settled()
  expect(stream.text).toContain('1'.repeat(blocks.length))
  // The large one at first, and what it missed meanwhile.
  expect(reading).toHaveBeenCalledTimes(2 + others.length)
})

test('a write to many places is looked at once for each who watches one of them', async () => {
  using at = started()
  const { source, broadcaster, connect } = at
  const count = 200
  const streams = Array.from({ length: count }, (_, index) => {
    const { client, stream } = connect()
    broadcaster.subscribe(client, watched(`/a/${index}`, false), undefined)
    return stream
  })
  const answer = (): void => {
    for (const { resolve } of source.asked)
      resolve({ sequence: 1, id: idOf(1), isWhole: true, events: [] })
  }
  for (let round = 0; round < 20; round++) {
    await settled()
    answer()
  }
  let looks = 0
  const pairs = Array.from({ length: count }, (_, index) => ({
    get path() {
      looks++
      return parsePath(`/a/${index}`)
    },
    value: fromJson(index),
  }))
  source.tell([{ sequence: 2, id: idOf(2), time: 0, pairs, update: parsePath('/a') }])
  await settled()
  expect(streams.map(({ text }) => text.includes(`"data":`))).not.toContain(false)
  expect(looks).toBeLessThan(10 * count)
})

/** A stream that watches the value of `/q` and what happens in `/chat`, up to change 1, and what says that `/q` is as it was. */
async function manyUpToOne() {
  const at = started()
  const { source, broadcaster, meter } = at
  const client = new StreamClient(new Recorded(), meter, 1e6, 'many')
  broadcaster.subscribe(client, watched('/q', true), undefined, 'q')
  broadcaster.subscribe(client, watched('/chat', false), undefined, 'chat')
  await settled()
  const answer = async (sequence: number): Promise<void> => {
    const same = { sequence, id: idOf(sequence), isWhole: false, known: { digest: 'same' } }
    source.last('/q').resolve({ ...same, events: [], whole: value('1', sequence) })
    source.last('/chat').resolve({ ...same, events: [] })
    await settled()
  }
  await answer(1)
  return { ...at, client, answer }
}

test('ids that are longer than any of a change are cut off, and looked up once', async () => {
  using at = started()
  const { source, broadcaster, client } = at
  for (const end of ['a', 'b']) {
    broadcaster.subscribe(client, watched('/a', true), 'x'.repeat(20_000) + end)
  }
  await settled()
  expect(source.asked.map(({ job }) => job.since?.length)).toEqual([1000])
})

test('who comes back before changes are heard of does not look through all who wait for that', () => {
  using at = started()
  const { broadcaster, client } = at
  const begin = vi.spyOn(ReadingQueue.prototype, 'begin')
  onTestFinished(() => begin.mockRestore())
  for (let place = 0; place < 100; place++) {
    broadcaster.subscribe(client, watched(`/${place}`, true), idOf(1))
  }
  expect(begin).not.toHaveBeenCalled()
})

test('the id of many subscriptions never says less than before', async () => {
  using at = await manyUpToOne()
  const { source, broadcaster, client, answer } = at
  const places: (number | undefined)[] = []
  for (let sequence = 2; sequence < 12; sequence += 2) {
    source.changed(sequence, '/chat', fromJson(1))
    await settled()
    places.push(broadcaster.placeOf(client)?.sequence)
    source.changed(sequence + 1, '/q', fromJson(1))
    places.push(broadcaster.placeOf(client)?.sequence)
    await settled()
    await answer(sequence + 1)
  }
  expect(places).toEqual([2, 2, 4, 4, 6, 6, 8, 8, 10, 10])
})

test('the id of a value that is looked at again and again, and stays as it is, says how far that is', async () => {
  using at = await manyUpToOne()
  const { source, broadcaster, client, answer } = at
  for (let sequence = 2; sequence < 5; sequence++) {
    source.changed(sequence, '/q', fromJson(1))
    expect(broadcaster.placeOf(client)?.sequence).toBe(sequence - 1)
    await settled()
    await answer(sequence)
  }
})

test('what is not in memory is read once by all, however many turns it takes to tell them', async () => {
  using at = await watchedUpTo(3, (sequence) => sequence)
  const { source, broadcaster, connect } = at
  const streams = Array.from({ length: 100 }, () => {
    const { client, stream } = connect()
    broadcaster.subscribe(client, watched('/a', false), idOf(3))
    return stream
  })
  await settled()
  // A turn is over each time that somebody looks at the clock.
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 10))
  onTestFinished(() => clock.mockRestore())
  source.changed(4, '/a')
  for (let round = 0; round < 5; round++) await settled()
  expect(broadcaster.isFlushed).toBe(true)
  const event = { ...value('{"path":"/","data":4}', 4), name: 'put' } as const
  for (const { resolve } of source.asked) {
    resolve({ sequence: 4, id: idOf(4), isWhole: true, events: [event] })
  }
  await settled()
  expect(new Set(streams.map(({ ids }) => String(ids)))).toEqual(new Set([idOf(4)]))
})

test('what many places have to be told takes no more memory than it may', async () => {
  using at = started({ maxUnsentBytes: 45_000 })
  const { source, broadcaster, connect } = at
  const streams = Array.from({ length: 100 }, (_, index) => {
    const { client, stream } = connect()
    broadcaster.subscribe(client, watched(`/a/${index}`, false), undefined)
    return stream
  })
  const event = (sequence: number): StreamEvent => ({
    ...value(`{"path":"/","data":${sequence}}`, sequence),
    name: 'put',
  })
  const answer = async (sequence: number): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      await settled()
      for (const { resolve } of source.asked) {
        resolve({ sequence, id: idOf(sequence), isWhole: true, events: [event(sequence)] })
      }
    }
  }
  await answer(1)
  const asked = source.asked.length
  source.changed(2, '/a', fromJson(2))
  await settled()
  const read = source.asked.slice(asked)
  // Some were framed, the others are read for, each from what it had.
  expect(streams.filter(({ ids }) => ids.at(-1) === idOf(2)).length + read.length).toBe(100)
  expect(read.length).toBeGreaterThan(10)
  expect(new Set(read.map(({ job }) => job.since))).toEqual(new Set([idOf(1)]))
  await answer(2)
  expect(new Set(streams.map(({ ids }) => ids.join()))).toEqual(new Set([`${idOf(1)},${idOf(2)}`]))
  // And there is room again.
  source.changed(3, '/a/99', fromJson(3))
  await settled()
  expect(streams[99]!.ids.at(-1)).toBe(idOf(3))
})

test('keys of results take no more memory than they may, and are given back', async () => {
  using at = started({ maxKnownBytes: 10 })
  const { source, broadcaster, connect } = at
  const keysOf = async (path: string): Promise<number | undefined> => {
    source.changed(2, path, fromJson(1))
    await settled()
    return source.last(path).job.known?.keys?.length
  }
  const watch = async (path: string) => {
    const { client } = connect()
    const subscriber = broadcaster.subscribe(client, watched(path, true), undefined)
    await settled()
    const known = { keys: Buffer.from('a\nb\nc\n') }
    const place = { sequence: 1, id: idOf(1), isWhole: true, events: [], known }
    source.last(path).resolve({ ...place, whole: value('1', 1) })
    await settled()
    return subscriber
  }
  const first = await watch('/a')
  await watch('/b')
  expect(await keysOf('/a')).toBe(6)
  expect(await keysOf('/b')).toBe(undefined)
  broadcaster.unsubscribe(first)
  await watch('/c')
  expect(await keysOf('/c')).toBe(6)
})

/** A client that takes what waits for it when it is told to. */
class Slow extends Recorded {
  override write(bytes: Uint8Array): boolean {
    super.write(bytes)
    this.pendingBytes += bytes.length
    return this.pendingBytes < 2e6
  }

  take(): void {
    this.pendingBytes = 0
    this.onDrain?.()
  }
}

test('what a slow client needs of many places is read one after the other, as it takes them', async () => {
  using at = started()
  const { source, broadcaster, connect } = at
  const stream = new Slow()
  const { client } = connect(stream)
  const paths = Array.from({ length: 20 }, (_, index) => `/p${index}`)
  const place = { sequence: 1, id: idOf(1), isWhole: true }
  const json = Buffer.from(`{"path":"/","data":"${'x'.repeat(900_000)}"}`)
  const reading = vi
    .spyOn(source, 'run')
    .mockImplementation(async () => ({ ...place, events: [{ name: 'put', json, id: idOf(1) }] }))
  for (const path of paths) broadcaster.subscribe(client, watched(path, false), undefined, path)
  await settled()
  for (let round = 0; round < 30; round++) {
    stream.take()
    await settled()
  }
  const told = new Set(
    Array.from(stream.text.matchAll(/"subscription":"(\/p\d+)"/g), ([, name]) => name),
  )
  expect(told.size).toBe(paths.length)
  // All at first, and each for whom there was no room once more.
  expect(reading.mock.calls.length).toBeLessThan(2 * paths.length)
})

test('who waits for its turn with a large value is told of everything else meanwhile', async () => {
  using at = started()
  const { source, broadcaster, client, stream } = at
  const opened = Promise.withResolvers<LargeValue>()
  const place = { sequence: 1, id: idOf(1) }
  const readLarge = vi
    .spyOn(source, 'readLarge')
    .mockRejectedValueOnce(new Refusal(503, 'Too many'))
    .mockReturnValueOnce(opened.promise)
  broadcaster.subscribe(client, watched('/large', false), undefined, 'large')
  broadcaster.subscribe(client, watched('/a', false), undefined, 'a')
  await settled()
  source.last('/large').resolve({ ...place, isWhole: true, isLarge: true, events: [] })
  source.last('/a').resolve({ ...place, isWhole: true, events: [] })
  await settled()
  expect(readLarge).toHaveBeenCalledTimes(1)
  source.changed(2, '/a', fromJson(2))
  await settled()
  expect([client.isBusy, stream.text]).toEqual([false, expect.stringContaining('"data":2')])
  await vi.waitFor(() => expect(readLarge).toHaveBeenCalledTimes(2))
  source.changed(3, '/a', fromJson(3))
  await settled()
  expect(stream.text).toContain('"data":3')
  opened.resolve({ ...place, blocks: [Buffer.from('"large"')] })
  await settled()
  expect(stream.text).toContain('"data":"large"')
  expect(source.asked.filter(({ job }) => job.target.path === '/large').length).toBe(2)
})

/** Somebody whose large value is being opened, and what opens it; `given` counts how often that was given up. */
async function opening() {
  const at = started()
  const { source, broadcaster, client } = at
  const opened = Promise.withResolvers<LargeValue>()
  const place = { sequence: 1, id: idOf(1) }
  vi.spyOn(source, 'readLarge').mockReturnValueOnce(opened.promise)
  const subscriber = broadcaster.subscribe(client, watched('/large', false), undefined, 'x')
  await settled()
  source.last('/large').resolve({ ...place, isWhole: true, isLarge: true, events: [] })
  await settled()
  const givenUp = vi.fn<() => void>()
  const open = async (): Promise<void> => {
    const blocks = {
      next: () => ({ done: false as const, value: Buffer.from('"large"') }),
      return: () => {
        givenUp()
        return { done: true as const, value: undefined }
      },
      [Symbol.iterator]: () => blocks,
    }
    opened.resolve({ ...place, blocks })
    await settled()
  }
  return { ...at, subscriber, open, givenUp }
}

test('a large value of a subscription that was ended meanwhile is not sent', async () => {
  using at = await opening()
  const { source, broadcaster, client, stream, subscriber, open, givenUp } = at
  broadcaster.unsubscribe(subscriber)
  broadcaster.subscribe(client, watched('/small', false), undefined, 'x')
  await settled()
  const put = { ...value('{"path":"/","data":"small"}', 1), name: 'put' } as const
  source.last('/small').resolve({ sequence: 1, id: idOf(1), isWhole: true, events: [put] })
  await settled()
  await open()
  expect(stream.text).toContain('"data":"small"')
  expect(stream.text).not.toContain('"large"')
  expect(givenUp).toHaveBeenCalledTimes(1)
})

/** A client that takes nothing before it is told to. */
class Untaken extends Recorded {
  #releases: (() => void)[] = []

  override write(bytes: Uint8Array): boolean {
    super.write(bytes)
    this.pendingBytes += bytes.length
    return false
  }

  override writeLent(bytes: Uint8Array, release: () => void): boolean {
    this.#releases.push(release)
    return this.write(bytes)
  }

  take(): void {
    this.pendingBytes = 0
    for (const release of this.#releases.splice(0)) release()
    this.onDrain?.()
  }
}

test('where too much waits for all clients, values are read when others have taken theirs', async () => {
  using at = started()
  const { source, broadcaster, meter, connect } = at
  const put = (text: string): StreamResult => ({
    sequence: 1,
    id: idOf(1),
    isWhole: true,
    events: [{ ...value(text, 1), name: 'put' }],
  })
  const one = connect(new Untaken())
  const stream = one.stream as Untaken
  broadcaster.subscribe(one.client, watched('/a', false), undefined)
  await settled()
  source.last('/a').resolve(put('"a"'))
  await settled()
  meter.pendingBytes += maxPendingBytes
  const others = [connect(), connect()]
  const paths = ['/b', '/c']
  for (const [index, { client }] of others.entries()) {
    broadcaster.subscribe(client, watched(paths[index]!, false), undefined)
  }
  await settled()
  expect(source.asked).toHaveLength(1)
  // Who has taken what there was gets more when the others may, too.
  stream.take()
  await settled()
  expect(source.asked).toHaveLength(1)
  meter.pendingBytes -= maxPendingBytes
  broadcaster.gone(one.client)
  await settled()
  for (const path of paths) source.last(path).resolve(put(JSON.stringify(path)))
  await settled()
  expect(others.map(({ stream: { text } }) => /data: (.*)/.exec(text)?.[1])).toEqual([
    '"/b"',
    '"/c"',
  ])
})

test('where too much waits for all clients, who has something waiting falls behind', async () => {
  using at = started()
  const { source, broadcaster, meter, connect, stream, client } = at
  const { stream: slow, client: slowClient } = connect(new Untaken())
  for (const one of [client, slowClient])
    broadcaster.subscribe(one, watched('/a', false), undefined)
  await settled()
  const place = { sequence: 1, id: idOf(1), isWhole: true }
  source.last('/a').resolve({ ...place, events: [{ ...value('1', 1), name: 'put' }] })
  await settled()
  expect(meter.pendingBytes).toBe(slow.pendingBytes)
  meter.pendingBytes += maxPendingBytes
  for (const sequence of [2, 3]) {
    source.changed(sequence, '/a', fromJson(sequence))
    await settled()
  }
  expect([stream.ids, slow.ids]).toEqual([[1, 2, 3].map(idOf), [1, 2].map(idOf)])
  meter.pendingBytes -= maxPendingBytes
  ;(slow as Untaken).take()
  expect(meter.pendingBytes).toBe(0)
  await settled()
  const last = { sequence: 3, id: idOf(3), isWhole: true }
  source.last('/a').resolve({ ...last, events: [{ ...value('3', 3), name: 'put' }] })
  await settled()
  expect(slow.ids).toEqual([1, 2, 3].map(idOf))
  slowClient.gone()
  expect(meter.pendingBytes).toBe(0)
})

function putOf(text: string): StreamResult {
  return { sequence: 1, id: idOf(1), isWhole: true, events: [{ ...value(text, 1), name: 'put' }] }
}

test.each([[undefined], ['a']])(
  'what one reading brings to many is sent to no more than there is room for, by the name %s',
  async (name) => {
    using at = started()
    const { source, broadcaster, meter, connect } = at
    const others = Array.from({ length: 50 }, () => connect(new Untaken()))
    const untaken = others.map(({ stream }) => stream as Untaken)
    // For two of them, and a third begins.
    const taken = maxPendingBytes - 250_000
    meter.pendingBytes += taken
    for (const { client } of others) {
      broadcaster.subscribe(client, watched('/a', false), undefined, name)
    }
    await settled()
    let most = 0
    for (let answered = 0; untaken.some(({ text }) => text === '');) {
      for (; answered < source.asked.length; answered++) {
        source.asked[answered]!.resolve(putOf(`"${'a'.repeat(100_000)}"`))
      }
      await settled()
      most = Math.max(most, meter.pendingBytes - taken)
      for (const stream of untaken) if (stream.pendingBytes > 0) stream.take()
      await settled()
    }
    // Those who waited for room are four at a time.
    expect(most).toBeLessThan(250_000 + 5 * 101_000)
    for (const { ids } of untaken) expect(ids).toHaveLength(1)
    for (const { client } of others) client.gone()
    expect([meter.pendingBytes, meter.gatheredBytes]).toEqual([taken, 0])
  },
)

test('what is lent for many is given back once when there is no room for some of them', async () => {
  using at = started()
  const { source, broadcaster, meter, connect } = at
  meter.pendingBytes += maxPendingBytes - 1
  const others = Array.from({ length: 3 }, () => connect(new Untaken()))
  for (const { client } of others) {
    broadcaster.subscribe(client, watched('/a', false), idOf(1))
  }
  await settled()
  const release = vi.fn<() => void>()
  const framed = { count: 1, bytes: Buffer.from('data: 1\n\n'), release }
  const place = { sequence: 2, id: idOf(2), isWhole: false }
  // The first one is read for alone.
  source.last('/a').resolve({ ...place, events: [], framed })
  await settled()
  expect(others.map(({ stream: { text } }) => text.length)).toEqual([0, 9, 0])
  expect(release).not.toHaveBeenCalled()
  ;(others[1]!.stream as Untaken).take()
  expect(release).toHaveBeenCalledTimes(1)
})

/** So many, each of another place, who wait for room, of which there is none before some is given. */
async function outOfRoom(count: number) {
  const at = started()
  const { broadcaster, meter, connect, client: gone } = at
  meter.pendingBytes += maxPendingBytes
  const others = Array.from({ length: count }, (_, index) => {
    const one = connect()
    const subscriber = broadcaster.subscribe(one.client, watched(`/p${index}`, false), undefined)
    return { ...one, subscriber }
  })
  await settled()
  const give = async (bytes: number): Promise<void> => {
    meter.pendingBytes -= bytes
    broadcaster.gone(gone)
    await settled()
  }
  return { ...at, others, give }
}

test('when there is room again, few are read for at one time, in order, and all at last', async () => {
  using at = await outOfRoom(40)
  const { source, broadcaster, others, give } = at
  expect(source.asked).toEqual([])
  expect(broadcaster.isOutOfRoom).toBe(true)
  // Who comes last takes at once what it is sent: nobody drains.
  await give(1)
  // What others have not taken keeps the line at four.
  expect([source.asked.length, broadcaster.isOutOfRoom]).toEqual([4, true])
  let answered = 0
  do {
    await settled()
    expect(source.asked.length - answered).toBeLessThanOrEqual(4)
    for (; answered < source.asked.length; answered++) source.asked[answered]!.resolve(putOf('1'))
    await settled()
  } while (source.asked.length > answered)
  expect(source.asked.map(({ job }) => job.target.path)).toEqual(
    others.map((_, index) => parsePath(`/p${index}`)),
  )
  for (const { stream } of others) expect(stream.ids).toEqual([idOf(1)])
  expect(broadcaster.isOutOfRoom).toBe(false)
})

test('when there is much room again, many are read for at one time, and four sent that in any case', async () => {
  using at = await outOfRoom(40)
  const { source, broadcaster, meter, others, give } = at
  await give(20 * 1024 * 1024)
  expect([source.asked.length, broadcaster.isOutOfRoom]).toEqual([20, true])
  source.asked[0]!.resolve(putOf('1'))
  await settled()
  expect(source.asked).toHaveLength(21)
  // Others have taken the room meanwhile.
  meter.pendingBytes += 20 * 1024 * 1024
  for (const { resolve } of source.asked) resolve(putOf('1'))
  await settled()
  expect(others.filter(({ stream: { ids } }) => ids.length > 0)).toHaveLength(5)
  expect(source.asked).toHaveLength(21)
})

test('who waits only for its turn does not wait for others to take something', async () => {
  using at = await outOfRoom(200)
  const { source, broadcaster, give } = at
  await give(100 * 1024 * 1024)
  expect([source.asked.length, broadcaster.isOutOfRoom]).toEqual([32, false])
})

test('who needs nothing does not wait for room', async () => {
  using at = await watchedUpTo(1, () => 1)
  const { broadcaster, meter, client } = at
  // It once fell behind.
  client.beginCatchingUp()
  meter.pendingBytes += maxPendingBytes
  broadcaster.drained(client)
  expect(broadcaster.isOutOfRoom).toBe(false)
})

test('whose turn has come is sent what is read, also where others have taken the room meanwhile', async () => {
  using at = await outOfRoom(6)
  const { source, meter, others, give } = at
  await give(1)
  meter.pendingBytes += maxPendingBytes
  for (const { resolve } of source.asked.toReversed()) resolve(putOf('1'))
  await settled()
  expect(others.map(({ stream: { ids } }) => ids.length)).toEqual([1, 1, 1, 1, 0, 0])
  expect(source.asked).toHaveLength(4)
})

test('whose turn has come leaves it to others when it goes, is refused, or has a value in blocks', async () => {
  using at = await outOfRoom(12)
  const { source, broadcaster, others, give } = at
  await give(1)
  source.asked[0]!.reject(new Refusal(400, 'Not to be shown'))
  source.asked[1]!.resolve({ sequence: 1, id: idOf(1), isWhole: true, isLarge: true, events: [] })
  broadcaster.unsubscribe(others[2]!.subscriber)
  others[3]!.client.gone()
  broadcaster.unsubscribe(others[3]!.subscriber)
  broadcaster.gone(others[3]!.client)
  await settled()
  expect(source.asked).toHaveLength(9)
})

test('a large value is not sent behind the end of its stream', async () => {
  using at = await opening()
  const { client, stream, open, givenUp } = at
  client.end(1000)
  const { text } = stream
  await open()
  expect(stream.text).toBe(text)
  expect(givenUp).toHaveBeenCalledTimes(1)
})

test('a value that is refused in its middle ends the stream', async () => {
  using at = started()
  const { source, broadcaster, client, stream } = at
  const destroyed = vi.spyOn(stream, 'destroy')
  function* blocks(): Generator<Uint8Array> {
    yield Buffer.from('"lar')
    throw new Refusal(503, 'Too many')
  }
  vi.spyOn(source, 'readLarge').mockResolvedValueOnce({
    sequence: 1,
    id: idOf(1),
    blocks: blocks(),
  })
  broadcaster.subscribe(client, watched('/large', false), undefined, 'x')
  await settled()
  source
    .last('/large')
    .resolve({ sequence: 1, id: idOf(1), isWhole: true, isLarge: true, events: [] })
  await settled()
  expect(destroyed).toHaveBeenCalledTimes(1)
})

/** Clients that each watch a place of their own below `/p` and have change 1, where the clock runs with each look at it. */
async function watchedPlaces(count: number, options?: Partial<BroadcasterOptions>) {
  const at = started(options)
  const { source, broadcaster, connect } = at
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now++)
  onTestFinished(() => clock.mockRestore())
  const begin = async (place: number) => {
    const stream = new Recorded()
    const { client } = connect(stream)
    const subscriber = broadcaster.subscribe(client, watched(`/p/${place}`, false), undefined)
    await settled()
    return { stream, client, subscriber }
  }
  const places: Awaited<ReturnType<typeof begin>>[] = []
  for (let place = 0; place < count; place++) {
    places.push(await begin(place))
    const place1 = { sequence: 1, id: idOf(1), isWhole: true, events: [] }
    source.last(`/p/${place}`).resolve(place1)
  }
  await settled()
  return { ...at, begin, places, [Symbol.dispose]: () => broadcaster.close() }
}

test('of a change above many places others are told turn by turn, and all in order', async () => {
  using at = await watchedPlaces(100, { lingerMs: 0 })
  const { source, broadcaster, begin, places } = at
  const all = fromJson(Object.fromEntries(places.map((_, place) => [place, 'new'])))
  source.changed(2, '/p', all)
  source.changed(3, '/p/99', fromJson('newer'))
  await new Promise((resolve) => setImmediate(resolve))
  const told = places.filter(({ stream }) => stream.ids.length > 0).length
  expect(told).toBeGreaterThan(0)
  expect(told).toBeLessThan(100)
  // Nobody has the change before all were told of it.
  expect(broadcaster.lowest(places[99]!.client)?.sequence).toBe(1)
  broadcaster.unsubscribe(places[98]!.subscriber)
  const late = await begin(100)
  for (let round = 0; round < 20; round++) await settled()
  const ids = places.map(({ stream }) => stream.ids)
  expect(ids.slice(0, 98)).toEqual(Array.from({ length: 98 }, () => [idOf(2)]))
  expect(ids.slice(98)).toEqual([[], [idOf(2), idOf(3)]])
  expect(broadcaster.lowest(places[0]!.client)?.sequence).toBe(3)
  expect(late.stream.ids).toEqual([])
  // Nothing is left of what nobody watches any more.
  expect(broadcaster.isFlushed).toBe(true)
})

test('what was lost while not all were told of a change is read by all', async () => {
  using at = await watchedPlaces(40)
  const { source, places } = at
  const all = fromJson(Object.fromEntries(places.map((_, place) => [place, 'new'])))
  source.changed(2, '/p', all)
  source.lose()
  const since = new Map<string, string | undefined>()
  for (let read = 40; since.size < 40; read++) {
    await settled()
    const { job, resolve } = source.asked[read]!
    since.set(job.target.path, job.since)
    resolve({ sequence: 2, id: idOf(2), isWhole: false, events: [] })
  }
  // From what was sent, or from what was there before.
  for (const [place, { stream }] of places.entries()) {
    expect(since.get(`/p/${place}`)).toBe(stream.ids.at(-1) ?? idOf(1))
  }
})

test('a change of many places is looked through in turns, and who comes meanwhile is not told a part of it', async () => {
  using at = await watchedUpTo(2, Number)
  const { source, broadcaster, stream, connect } = at
  // Whenever it is looked at the time of a turn is over.
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000))
  let looked = 0
  const pairs = Array.from({ length: 10_000 }, (_, index) => ({
    get path() {
      looked++
      return parsePath(`/a/k${index}`)
    },
    value: fromJson(index),
  }))
  source.tell([{ sequence: 3, id: idOf(3), time: 0, pairs, update: parsePath('/a') }])
  expect(looked).toBeLessThan(1000)
  const meanwhile = new Recorded()
  broadcaster.subscribe(connect(meanwhile).client, watched('/a/k9999', false), undefined)
  for (let turns = 0; stream.ids.at(-1) !== idOf(3); turns++) {
    expect(turns).toBeLessThan(10_000)
    await settled()
  }
  expect(stream.text).toContain('"k0":0,"k1":1,')
  source.last('/a/k9999').resolve({ sequence: 3, id: idOf(3), isWhole: true, events: [] })
  await settled()
  source.changed(4, '/a/k9999', fromJson(4))
  for (let turns = 0; meanwhile.ids.length === 0; turns++) {
    expect(turns).toBeLessThan(1000)
    await settled()
  }
  expect(meanwhile.ids).toEqual([idOf(4)])
})

test('who is told of changes reads on where one has more than may be told at once', async () => {
  using at = await watchedUpTo(2, Number, { maxUnsentBytes: 1e8 })
  const { source, stream } = at
  const pairs = Array.from({ length: 4000 }, (_, index) => {
    return { path: parsePath(`/a/${'k'.repeat(700)}${index}`), value: fromJson(1) }
  })
  source.tell([{ sequence: 3, id: idOf(3), time: 0, pairs, update: parsePath('/a') }])
  await settled()
  expect(stream.ids.at(-1)).toBe(idOf(2))
  expect(source.last('/a').job).toMatchObject({ since: idOf(2) })
})
