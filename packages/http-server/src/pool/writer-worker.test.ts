import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { expect, test } from 'vitest'
import { parseAnswerBytes } from './answer-bytes.ts'
import { pieceBytes, requestBytes } from './request-text.ts'
import { createPermits } from './scan-permits.ts'
import type { ThreadData } from './thread-data.ts'
import { progressBytes } from './writer-progress.ts'
import { worker } from './writer-worker.ts'

test('a writer does not take a body for its own that began in the one before', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-writer-'))
  const workerData: ThreadData = {
    store: lmdbStorage({ path }),
    channel: path,
    maxBodyBytes: 1e6,
    maxStreamedAnswers: 1,
    plan: {
      namespace: undefined,
      namespaces: undefined,
      maxAnswerBytes: Infinity,
      allDatabases: false,
      compressFromBytes: 1024,
      backslashesInUrls: false,
    },
    patienceMs: 1000,
    permits: createPermits(1),
    pieces: new SharedArrayBuffer(0),
    progress: new SharedArrayBuffer(progressBytes),
  }
  const head = requestBytes('PUT /a.json', undefined)
  // Both take what a thread of the pool is given.
  const before = await worker.setup!({ workerData } as never)
  const given = new AbortController()
  const context = (state: unknown): never => ({ state, signal: given.signal }) as never
  const lost = worker.handlers.upload(pieceBytes(1, head), context(before))
  await worker.handlers.piece(pieceBytes(1, Buffer.from('[1,')), context(before))
  given.abort()
  expect(parseAnswerBytes(await lost).status).toBe(400)
  await worker.teardown!(before)

  const state = await worker.setup!({ workerData } as never)
  await worker.handlers.piece(pieceBytes(1, Buffer.from('2]')), context(state))
  worker.handlers.end(1, context(state))
  expect(state.tickets.uploads.size).toBe(0)
  await worker.teardown!(state)
  await rm(path, { recursive: true })
})
