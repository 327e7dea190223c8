import { setImmediate } from 'node:timers/promises'
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
    await setImmediate()
    log.push('turn')
  }
  expect(await upload.answer).toEqual({ status: 204, headers: [] })
  expect(log.filter((entry) => entry !== 'turn')).toEqual(['piece 1', 'piece 2', 'piece 3'])
  expect(log.join(', ')).not.toMatch(/piece \d, piece/)
})
