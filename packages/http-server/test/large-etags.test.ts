import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTree } from '@elkyn/storage-lmdb'
import { expect, test } from 'vitest'
import { createRequestHandler } from '../src/index.ts'

test('the ETag of a large value is read with pauses, and is that of the writes', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-etags-'))
  try {
    await using tree = await openTree({ path, durability: 'relaxed' })
    await tree.set(
      '/large',
      Array.from({ length: 3000 }, (_, index) => `${index} ${'x'.repeat(2000)}`),
    )
    const handle = createRequestHandler({ store: tree.store })
    const { signal } = new AbortController()
    const ask = (headers: Record<string, string>) =>
      handle({ method: 'GET', url: '/large.json', headers, body: undefined, signal })
    let turns = 0
    const turn = (): void => {
      turns++
      immediate = setImmediate(turn)
    }
    let immediate = setImmediate(turn)
    const { status, headers, body } = await ask({ 'x-firebase-etag': 'true' })
    expect(status).toBe(200)
    expect(turns).toBeGreaterThan(1)
    for (const _ of body as Iterable<Uint8Array>) continue
    const etag = headers[headers.indexOf('ETag') + 1]!
    using snapshot = tree.store.snapshot()
    expect(etag).toBe(snapshot.etag('/large' as never))
    turns = 0
    expect((await ask({ 'if-none-match': etag })).status).toBe(304)
    expect(turns).toBeGreaterThan(1)
    clearImmediate(immediate)
  } finally {
    await rm(path, { recursive: true })
  }
})
