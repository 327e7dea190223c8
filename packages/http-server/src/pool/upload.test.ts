import { setImmediate as nextTurn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { expect, onTestFinished, test, vi } from 'vitest'
import { SmallRequests } from './small-requests.ts'
import { Upload } from './upload.ts'

const alone = new SmallRequests(() => 0)
const head = { method: 'PUT', url: '/large.json', headers: {} }

test('Upload hands out one piece in a turn of the event loop', async () => {
  const log: string[] = []
  const upload = new Upload(
    head,
    async ({ body }) => {
      for await (const piece of body as AsyncIterable<Uint8Array>) log.push(`piece ${piece.length}`)
      return { status: 204, headers: [] }
    },
    alone,
  )
  for (const length of [1, 2, 3]) void upload.add(new Uint8Array(length))
  upload.end()
  for (let turn = 1; turn <= 9; turn++) {
    await nextTurn()
    log.push('turn')
  }
  expect(await upload.answer).toEqual({ status: 204, headers: [] })
  expect(log.filter((entry) => entry !== 'turn')).toEqual(['piece 1', 'piece 2', 'piece 3'])
  expect(log.join(', ')).not.toMatch(/piece \d, piece/)
})

test('Upload lets what has come before a piece be committed before it', async () => {
  const log: string[] = []
  const { port1: near, port2: far } = new MessageChannel()
  // As the queue of a store does it, with what comes from other threads.
  far.on('message', () => setImmediate(() => log.push('commit')))
  const upload = new Upload(
    head,
    async ({ body }) => {
      for await (const piece of body as AsyncIterable<Uint8Array>) {
        log.push(`piece ${piece.length}`)
        near.postMessage('a write')
      }
      return { status: 204, headers: [] }
    },
    alone,
  )
  await nextTurn()
  setImmediate(() => log.push('commit'))
  for (const length of [1, 2, 3]) void upload.add(new Uint8Array(length))
  upload.end()
  await upload.answer
  far.close()
  expect(log).toEqual(['commit', 'piece 1', 'commit', 'piece 2', 'commit', 'piece 3'])
})

test('Upload cuts pieces into slices of half a millisecond', async () => {
  let nowMs = 0
  let bytesAMs = 64 * 1024
  const lengths: number[] = []
  const upload = new Upload(
    head,
    async ({ body }) => {
      let total = 0
      for await (const slice of body as AsyncIterable<Uint8Array>) {
        lengths.push(slice.length)
        nowMs += slice.length / bytesAMs
        total += slice.length
        if (total === 63 * 1024) bytesAMs = 4 * 1024
      }
      return { status: 204, headers: [] }
    },
    alone,
    () => nowMs,
  )
  void upload.add(new Uint8Array(95 * 1024))
  upload.end()
  await upload.answer
  const kibibytes = lengths.map((length) => length / 1024)
  // Longer while they are quick, shorter as soon as they are not.
  expect(kibibytes).toEqual([1, 2, 4, 8, 16, 16, 16, 16, 8, 4, 2, 2])
  expect(lengths.reduce((sum, length) => sum + length)).toBe(95 * 1024)
})

test('Upload gives back the memory of pieces behind the first one', async () => {
  const pieces = [1, 2, 3].map((value) => new Uint8Array(40_000).fill(value))
  const sums: number[] = []
  const upload = new Upload(
    head,
    async ({ body }) => {
      for await (const slice of body as AsyncIterable<Uint8Array>) {
        sums.push(slice.reduce((sum, value) => sum + value, 0))
      }
      return { status: 204, headers: [] }
    },
    alone,
  )
  for (const piece of pieces) void upload.add(piece)
  upload.end()
  await upload.answer
  expect(sums.reduce((sum, value) => sum + value)).toBe(6 * 40_000)
  expect(pieces.map(({ length }) => length)).toEqual([40_000, 0, 0])
})

test('Upload rests for as long as it has worked while there are small requests', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  let nowMs = 0
  let taken = 0
  const small = new SmallRequests(() => nowMs)
  const upload = new Upload(
    head,
    async ({ body }) => {
      for await (const _ of body as AsyncIterable<Uint8Array>) {
        nowMs += 3
        taken++
      }
      return { status: 204, headers: [] }
    },
    small,
    () => nowMs,
  )
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 9; turn++) await nextTurn()
  }
  for (let pieces = 0; pieces < 3; pieces++) void upload.add(new Uint8Array(1))
  small.note()
  await turns()
  expect(taken).toBe(1)
  await vi.advanceTimersByTimeAsync(2)
  await turns()
  expect(taken).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  await turns()
  expect(taken).toBe(2)
  // Nobody else has come for a while.
  nowMs += 200
  await vi.advanceTimersByTimeAsync(3)
  await turns()
  expect(taken).toBe(3)
  upload.end()
  await turns()
  expect(await upload.answer).toEqual({ status: 204, headers: [] })
})
