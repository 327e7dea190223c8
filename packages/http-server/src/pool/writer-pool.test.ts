import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ThreadPool } from '@elkyn/thread-pool'
import { expect, onTestFinished, test, vi } from 'vitest'
import { threadData } from '../../test/threads/thread-data.ts'
import { silentLog } from '../log.ts'
import { LargeAnswers } from './large-answers.ts'
import { parseRequestBytes } from './request-text.ts'
import { WriterPool } from './writer-pool.ts'

test('writes keep the order in which they come, though the writer gets through meanwhile', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-writer-'))
  onTestFinished(() => rm(path, { recursive: true }))
  const pool = new WriterPool(
    { maxQueuedRequests: 10, maxQueuedBytes: 1000, maxBodyBytes: 1000, stallLimitMs: 60_000 },
    threadData(path),
    new LargeAnswers(1, path),
    silentLog,
    () => {},
  )
  onTestFinished(() => pool.close(Infinity))
  await pool.start()
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
