import { setImmediate as nextTurn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { Upload } from './upload.ts'

test('Upload hands out one piece in a turn of the event loop', async () => {
  const log: string[] = []
  const head = { method: 'PUT', url: '/large.json', headers: {} }
  const upload = new Upload(head, async ({ body }) => {
    for await (const piece of body as AsyncIterable<Uint8Array>) log.push(`piece ${piece.length}`)
    return { status: 204, headers: [] }
  })
  for (const length of [1, 2, 3]) void upload.add(new Uint8Array(length))
  upload.end()
  for (let turn = 1; turn <= 3; turn++) {
    await nextTurn()
    log.push('turn')
  }
  expect(await upload.answer).toEqual({ status: 204, headers: [] })
  expect(log.filter((entry) => entry !== 'turn')).toEqual(['piece 1', 'piece 2', 'piece 3'])
  expect(log.join(', ')).not.toMatch(/piece \d, piece/)
})

test('Upload lets what has come during a piece be committed before the next one', async () => {
  const log: string[] = []
  const { port1: near, port2: far } = new MessageChannel()
  // As the queue of a store does it, with what comes from other threads.
  far.on('message', () => setImmediate(() => log.push('commit')))
  const head = { method: 'PUT', url: '/large.json', headers: {} }
  const upload = new Upload(head, async ({ body }) => {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      log.push(`piece ${piece.length}`)
      near.postMessage('a write')
    }
    return { status: 204, headers: [] }
  })
  // Where a piece ends that has waited for the one before.
  await nextTurn()
  for (const length of [1, 2, 3]) void upload.add(new Uint8Array(length))
  upload.end()
  await upload.answer
  far.close()
  expect(log).toEqual(['piece 1', 'commit', 'piece 2', 'commit', 'piece 3', 'commit'])
})
