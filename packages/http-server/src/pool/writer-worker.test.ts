import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { expect, test } from 'vitest'
import { parseAnswerBytes } from './answer-bytes.ts'
import { requestBytes } from './request-text.ts'
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
      compressFromBytes: 1024,
    },
    patienceMs: 1000,
    permits: createPermits(1),
    progress: new SharedArrayBuffer(progressBytes),
  }
  const body = requestBytes('PUT /a.json', Buffer.from('[1,'))
  // Both take what a thread of the pool is given.
  const before = await worker.setup!({ workerData } as never)
  const first = worker.handlers.begin(body, { state: before } as never)
  worker.handlers.abort(first, { state: before } as never)
  await worker.teardown!(before)

  const state = await worker.setup!({ workerData } as never)
  const second = worker.handlers.begin(body, { state } as never)
  expect(second).not.toBe(first)
  const answer = await worker.handlers.answer(first, { state } as never)
  expect(parseAnswerBytes(answer).status).toBe(503)
  worker.handlers.abort(second, { state } as never)
  await worker.teardown!(state)
  await rm(path, { recursive: true })
})
