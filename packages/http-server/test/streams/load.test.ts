import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePath } from '@elkyn/tree'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ThreadPoolHttpServer } from '../../src/index.ts'
import type { OutgoingStream } from '../../src/exchange.ts'
import { resolveLimits } from '../../src/limits.ts'
import { silentLog } from '../../src/log.ts'
import { StoreSource } from '../../src/streams/store-source.ts'
import { StreamedAnswers } from '../../src/streamed-answers.ts'
import { StreamHub } from '../../src/streams/stream-hub.ts'
import { resolveStreamOptions } from '../../src/streams/stream-options.ts'
import { MemoryTreeStore } from '@elkyn/tree'
import { faultyStorage } from '../threads/faulty-store.ts'
import { EventClient } from './event-client.ts'
import type { ReceivedEvent } from './event-client.ts'
import { Mirror, plain } from './mirror.ts'
import { StreamServer, serverKinds } from './servers.ts'

const placesOfMissed = [
  ['memory', {}],
  ['the log', { recentBytes: 0 }],
] as const

describe.each(serverKinds)('streams under load (%s)', (kind) => {
  test('streams that are opened while others write miss nothing and hear nothing twice', async () => {
    await using server = await StreamServer.start(kind)
    const streams: EventClient[] = []
    const writing = (async () => {
      for (let number = 0; number < 300; number++) {
        await server.send('PUT', `/c/k${number}.json`, number)
      }
    })()
    for (let count = 0; count < 30; count++) streams.push(await server.open('/c.json'))
    await writing
    for (const stream of streams) {
      const mirror = new Mirror()
      mirror.apply(await stream.next())
      const known = Object.keys((mirror.value ?? {}) as object).length
      for (let number = known; number < 300; number++) {
        const { data } = await stream.next()
        expect(JSON.parse(data)).toEqual({ path: `/k${number}`, data: number })
      }
    }
  })

  test.each(placesOfMissed)(
    'who comes back to many pieces in %s misses nothing',
    async (_, streams) => {
      await using server = await StreamServer.start(kind, { streams })
      const all = await server.open('/c.json')
      await all.next()
      let number = 0
      const write = async (end: number): Promise<void> => {
        const next = async (): Promise<void> => {
          while (number < end) {
            await server.send('PUT', `/c/k${number++}.json`, 'x'.repeat(700))
          }
        }
        await Promise.all(Array.from({ length: 16 }, next))
      }
      await write(1200)
      const events: ReceivedEvent[] = []
      while (events.length < 1200) events.push(await all.next())
      const writing = write(1500)
      const behind = [0, 1, 1, 400, 1199]
      const clients = await Promise.all(
        behind.map(async (index) => {
          const headers = { 'last-event-id': events[index]!.lastEventId }
          return server.open('/c.json', { headers })
        }),
      )
      await writing
      while (events.length < 1500) events.push(await all.next())
      for (const [index, client] of clients.entries()) {
        for (const event of events.slice(behind[index]! + 1)) {
          expect(await client.next()).toEqual(event)
        }
      }
    },
  )

  test('a thousand streams hear of each write', async () => {
    await using server = await StreamServer.start(kind)
    const streams = await Promise.all(Array.from({ length: 1000 }, () => server.open('/many.json')))
    await Promise.all(streams.map((stream) => stream.next()))
    for (let number = 1; number <= 5; number++) await server.send('PUT', '/many.json', number)
    for (const stream of streams) {
      const events = await stream.take(5)
      expect(events).toEqual([1, 2, 3, 4, 5].map((data) => `put {"path":"/","data":${data}}`))
    }
  })
})

/** A client that takes nothing. */
class StalledStream implements OutgoingStream {
  onDrain: (() => void) | undefined
  readonly pending: Uint8Array[] = []
  pendingBytes = 0
  isDestroyed = false

  write(bytes: Uint8Array): boolean {
    this.pending.push(bytes)
    this.pendingBytes += bytes.length
    return this.pendingBytes < 16_384
  }

  writeLent(bytes: Uint8Array, release: () => void): boolean {
    this.#lent.push(release)
    return this.write(bytes)
  }

  end(): void {}

  destroy(): void {
    this.isDestroyed = true
  }

  /** Takes everything. @returns it */
  takeAll(): string {
    const text = Buffer.concat(this.pending).toString()
    this.pending.length = 0
    this.pendingBytes = 0
    for (const release of this.#lent.splice(0)) release()
    this.onDrain?.()
    return text
  }

  readonly #lent: (() => void)[] = []
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test.each([
  ['events', undefined],
  ['values', true],
])(
  'readers of %s that take nothing keep no more than their limit, and share that',
  async (_kind, isValue) => {
    const store = new MemoryTreeStore()
    const options = resolveStreamOptions({ maxPendingBytes: 100_000 }, resolveLimits({}))
    const source = new StoreSource(store, new StreamedAnswers(10))
    const hub = new StreamHub(source, options, silentLog)
    const streams = Array.from({ length: 100 }, () => new StalledStream())
    const path = parsePath('/a')
    for (const stream of streams) {
      const target = { path, shownPath: path, form: 'plain', isValue } as const
      const answer = await hub.open({ kind: 'stream', target, lastEventId: undefined }, '')
      answer.stream?.(stream, () => {})
    }
    await turns(5)
    const retained: number[] = []
    for (let number = 0; number < 10_000; number++) {
      store.commit([{ pairs: [{ path, value: `${number}`.padEnd(1000) }] }])
      if (number % 10 === 9) await turns(1)
      if (number % 1000 !== 999) continue
      const buffers = new Set(streams.flatMap(({ pending }) => pending))
      const distinct = [...buffers].reduce((sum, { length }) => sum + length, 0)
      retained.push(distinct)
    }
    for (const stream of streams) expect(stream.pendingBytes).toBeLessThan(130_000)
    // Nothing was added in the second half.
    expect(new Set(retained.slice(5)).size).toBe(1)
    expect(retained.at(-1)).toBeLessThan(200_000)
    expect(hub.meter.fallenBehind).toBe(100)
    for (const stream of streams) {
      stream.pendingBytes = 0
      stream.pending.length = 0
      stream.onDrain?.()
    }
    await turns(5)
    const last = streams.map(({ pending }) => Buffer.concat(pending).toString())
    expect(new Set(last).size).toBe(1)
    expect(last[0]).toContain('"9999 ')
    hub.close()
  },
)

test('readers that take nothing are disconnected after writeTimeoutMs, however often they are looked at', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const store = new MemoryTreeStore()
  const source = new StoreSource(store, new StreamedAnswers(10))
  const limits = resolveLimits({ writeTimeoutMs: 1000 })
  const hub = new StreamHub(source, resolveStreamOptions({ keepAliveMs: 300 }, limits), silentLog)
  const path = parsePath('/a')
  const target = { path, shownPath: path, form: 'plain' } as const
  const [still, slow] = [new StalledStream(), new StalledStream()]
  for (const stream of [still, slow]) {
    const answer = await hub.open({ kind: 'stream', target, lastEventId: undefined }, '')
    answer.stream?.(stream, () => {})
  }
  await turns(5)
  const states: boolean[][] = []
  for (let round = 0; round < 6; round++) {
    vi.advanceTimersByTime(300)
    await turns(2)
    states.push([still.isDestroyed, slow.isDestroyed])
    if (round === 2) slow.pendingBytes--
  }
  expect(states.map(([first]) => first)).toEqual([false, false, false, false, true, true])
  expect(states.map(([, second]) => second)).toEqual(Array.from(states, () => false))
  hub.close()
})

test('a stream goes on when the writer was replaced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
  const words = new SharedArrayBuffer(64)
  const server = new ThreadPoolHttpServer({
    store: faultyStorage(folder, words),
    port: 0,
    threads: 1,
  })
  await server.start()
  const { url } = server.address()
  const put = async (path: string, value: unknown): Promise<number> =>
    (await fetch(`${url}${path}.json`, { method: 'PUT', body: JSON.stringify(value) })).status
  const stream = await EventClient.open(`${url}/a.json`)
  const query = await EventClient.open(`${url}/a.json?orderBy="$key"`)
  await stream.next()
  await query.next()
  expect(await put('/a/x', 1)).toBe(200)
  expect(await put('/uncaught', 1)).toBe(503)
  let status = 503
  while (status !== 200) status = await put('/a/y', 2)
  expect(await put('/a/z', 3)).toBe(200)
  for (const client of [stream, query]) {
    const mirror = new Mirror()
    while (Object.keys(plain(mirror.value) ?? {}).length < 3) mirror.apply(await client.next())
    expect(mirror.value).toEqual({ x: 1, y: 2, z: 3 })
    client.cut()
  }
  await server.close({ timeoutMs: 0 })
  await rm(folder, { recursive: true })
})

test('clients that take what they missed late get each event once, in order, whose memory is not used before', async () => {
  const store = new MemoryTreeStore()
  const source = new StoreSource(store, new StreamedAnswers(10))
  const hub = new StreamHub(source, resolveStreamOptions({}, resolveLimits({})), silentLog)
  const path = parsePath('/a')
  store.commit([{ pairs: [{ path, value: 'first' }] }])
  const lastEventId = store.idOf(1)
  const count = 3000
  for (let number = 0; number < count; number++) {
    store.commit([{ pairs: [{ path, value: `${number}`.padEnd(1000) }] }])
  }
  const expected = Array.from({ length: count }, (_, number) => `${number}`)
  const target = { path, shownPath: path, form: 'plain' } as const
  // More than there is memory for.
  const streams = Array.from({ length: 25 }, () => new StalledStream())
  const texts = streams.map(() => '')
  for (const [index, stream] of streams.entries()) {
    const answer = await hub.open({ kind: 'stream', target, lastEventId }, '')
    answer.stream?.(stream, () => {})
    // Each for itself, not in a group of those who have missed the same.
    if (index % 2 === 0) await turns(3)
  }
  const lastEvent = `"${count - 1} `
  while (texts.some((text) => !text.includes(lastEvent))) {
    for (const [index, stream] of streams.entries()) {
      // One in three is slow.
      if (
        index % 3 !== 0 ||
        streams.every(({ pendingBytes }, other) => other % 3 === 0 || pendingBytes === 0)
      ) {
        texts[index] += stream.takeAll()
      }
    }
    await turns(3)
  }
  for (const text of texts) {
    expect(Array.from(text.matchAll(/"data":"(\d+) /g), ([, number]) => number)).toEqual(expected)
  }
  hub.close()
})
