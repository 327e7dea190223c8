import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ThreadPool, ThreadPoolError } from '@elkyn/thread-pool'
import type { ThreadPoolErrorCode } from '@elkyn/thread-pool'
import { expect, onTestFinished, test, vi } from 'vitest'
import { threadData } from './threads/thread-data.ts'
import { silentLog } from '../src/log.ts'
import type { Answer } from '../src/message.ts'
import { ArrivingBodies } from '../src/arriving-bodies.ts'
import { RequestBody } from '../src/request-body.ts'
import { LargeAnswers } from '../src/pool/large-answers.ts'
import { SpoolRoom } from '../src/pool/spool-room.ts'
import { parseRequestBytes } from '../src/pool/request-text.ts'
import { WriterPool } from '../src/pool/writer-pool.ts'

type Run = (this: ThreadPool, ...task: Parameters<ThreadPool['run']>) => Promise<unknown>

async function startedPool(log = silentLog, maxQueuedRequests = 1000): Promise<WriterPool> {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-writer-'))
  onTestFinished(() => rm(path, { recursive: true }))
  const pool = new WriterPool(
    { maxQueuedRequests, maxQueuedBytes: 1e8, maxBodyBytes: 1e7, stallLimitMs: 60_000 },
    { ...threadData(path), maxBodyBytes: 1e7 },
    new LargeAnswers(1, SpoolRoom.create(1e6, path)),
    log,
    () => {},
  )
  onTestFinished(() => pool.close(5000))
  await pool.start()
  return pool
}

test('writes keep the order in which they come, though the writer gets through meanwhile', async () => {
  const pool = await startedPool()
  const pending = vi.spyOn(ThreadPool.prototype, 'pending', 'get')
  const run = vi.spyOn(ThreadPool.prototype, 'run')
  onTestFinished(() => void vi.restoreAllMocks())
  pending.mockReturnValueOnce(1).mockReturnValue(0)
  const { signal } = new AbortController()
  const write = (url: string): Promise<unknown> =>
    pool.write({ method: 'PUT', url, headers: {}, body: Buffer.from('1'), signal })
  await Promise.all([write('/a.json'), write('/b.json'), write('/c.json')])
  const urls = run.mock.calls.map(([task]) => parseRequestBytes(task as Uint8Array).head.url)
  expect(urls).toEqual(['/a.json', '/b.json', '/c.json'])
})

test('an answer that nobody takes is dropped as soon as there is room to say so', async () => {
  const error = vi.fn<() => void>()
  const pool = await startedPool({ ...silentLog, error })
  const run: Run = Reflect.get(ThreadPool.prototype, 'run')
  const refusals: ThreadPoolErrorCode[] = ['ERR_QUEUE_FULL', 'ERR_QUEUE_FULL']
  let drops = 0
  vi.spyOn(ThreadPool.prototype, 'run').mockImplementation(function (this: ThreadPool, ...task) {
    const isDrop = task[1]?.name === 'drop'
    if (isDrop) drops++
    const refusal = isDrop ? refusals.shift() : undefined
    if (refusal !== undefined) return Promise.reject(new ThreadPoolError(refusal, 'No room'))
    return run.apply(this, task)
  })
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })
  const value = Array.from({ length: 20_000 }, () => 'x'.repeat(100))
  const write = (): Promise<unknown> =>
    pool.write({
      method: 'PUT',
      url: '/a.json',
      headers: {},
      body: Buffer.from(JSON.stringify(value)),
      signal: AbortSignal.abort(),
    })
  await write()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(drops).toBe(3)
  // Its writer has gone, and the answer with it.
  refusals.push('ERR_POOL_CLOSED')
  await write()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(drops).toBe(4)
  // That a client has gone is no fault.
  expect(error).not.toHaveBeenCalled()
})

/** Writes to a large value, on condition. Counts those that the writer has put off and is at. */
async function putOff(
  pool: WriterPool,
  count: number,
): Promise<{ statuses: number[]; most: number }> {
  const { signal } = new AbortController()
  const write = (headers: Record<string, string>, body: string): Promise<Answer> =>
    pool.write({
      method: 'PUT',
      url: '/a.json?print=silent',
      headers,
      body: Readable.from([Buffer.from(body)]),
      signal,
    })
  const value = Array.from({ length: 20_000 }, () => 'x'.repeat(100))
  const { headers } = await write({ 'x-firebase-etag': 'true' }, JSON.stringify(value))
  const etag = headers[headers.indexOf('ETag') + 1]!
  const run: Run = Reflect.get(ThreadPool.prototype, 'run')
  let running = 0
  let most = 0
  vi.spyOn(ThreadPool.prototype, 'run').mockImplementation(async function (
    this: ThreadPool,
    ...task
  ) {
    const isSlow = task[1]?.name === 'slowWrite'
    if (isSlow) most = Math.max(most, ++running)
    try {
      return await run.apply(this, task)
    } finally {
      if (isSlow) running--
    }
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const body = JSON.stringify('y'.repeat(60_000))
  const answers = await Promise.all(
    Array.from({ length: count }, () => write({ 'if-match': etag }, body)),
  )
  return { statuses: answers.map(({ status }) => status).toSorted((a, b) => a - b), most }
}

test('of writes that have to read a large value before, few have a hand of the writer', async () => {
  const { statuses, most } = await putOff(await startedPool(), 100)
  expect(statuses).toEqual([204, ...Array<number>(99).fill(412)])
  expect(most).toBe(16)
})

test('writes that are put off are refused where too many wait', async () => {
  const { statuses } = await putOff(await startedPool(silentLog, 10), 30)
  // 16 have a place, and 10 wait for one.
  expect(statuses).toEqual([204, ...Array<number>(25).fill(412), ...Array<number>(4).fill(503)])
})

test('bodies that come too slowly give way to others', async () => {
  const pool = await startedPool()
  const { signal } = new AbortController()
  const facts = {
    length: Number.NaN,
    isCopied: false,
    hasArrived: () => true,
    prepare: () => {},
    arriving: new ArrivingBodies(1e9),
  }
  const upload = (source: Readable): Promise<Answer> => {
    source.push(`"${'x'.repeat(70_000)}`)
    const body = new RequestBody(source, facts)
    return pool.write({ method: 'PUT', url: '/a.json?print=silent', headers: {}, body, signal })
  }
  const end = (source: Readable): void => {
    source.push('"')
    source.push(null)
  }
  const quick = async (): Promise<number> => {
    const source = new Readable({ read() {} })
    const answer = upload(source)
    end(source)
    return (await answer).status
  }
  const sources = Array.from({ length: 256 }, () => new Readable({ read() {} }))
  const stalled = sources.map(upload)
  expect(await quick()).toBe(503)
  let later = 0
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + later)
  onTestFinished(() => void vi.restoreAllMocks())
  await vi.waitFor(async () => {
    later += 10_000
    expect(await quick()).toBe(204)
  }, 60_000)
  expect((await Promise.race(stalled)).status).toBe(503)
  for (const source of sources) end(source)
  const statuses = (await Promise.all(stalled)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 204)).toHaveLength(255)
})
