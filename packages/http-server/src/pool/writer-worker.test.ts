import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TreeError } from '@elkyn/tree'
import { threadData } from '../../test/threads/thread-data.ts'
import type { HttpResponse } from '../message.ts'
import { parseAnswerBytes } from './answer-bytes.ts'
import { pieceBytes, requestBytes } from './request-text.ts'
import { worker } from './writer-worker.ts'

test('a writer does not take a body for its own that began in the one before', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-writer-'))
  const workerData = threadData(path)
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

test('an upload that was cancelled before its handler could listen is given up', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-writer-'))
  const state = await worker.setup!({ workerData: threadData(path) } as never)
  const context = { state, signal: AbortSignal.abort() } as never
  const upload = worker.handlers.upload(
    pieceBytes(1, requestBytes('PUT /a.json', undefined)),
    context,
  )
  expect(parseAnswerBytes(await upload).status).toBe(400)
  expect(state.tickets.uploads.size).toBe(0)
  await worker.teardown!(state)
  await rm(path, { recursive: true })
})

test.each<[string, number, boolean]>([
  ['committed and cannot be read back is answered as written', 200, true],
  ['refused, where what is there cannot be read, is not answered as written', 412, false],
])('a write that was %s', async (_, status, isWritten) => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-writer-'))
  const writer = await worker.setup!({ workerData: threadData(path) } as never)
  function* unreadable(): Generator<Uint8Array> {
    yield Buffer.from('[1,')
    throw new TreeError('ERR_STORE_FAILED', 'The page cannot be read')
  }
  const handle = async (): Promise<HttpResponse> => {
    return { status, headers: [], body: unreadable() }
  }
  const answer = await worker.handlers.write(requestBytes('PUT /a.json', Buffer.from('[1,2]')), {
    state: { ...writer, handle },
  } as never)
  const { body } = parseAnswerBytes(answer)
  const words = 'The data was written, but cannot be shown'
  expect(Buffer.from(body).toString().includes(words)).toBe(isWritten)
  await worker.teardown!(writer)
  await rm(path, { recursive: true })
})
