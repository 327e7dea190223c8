import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { openTree } from '@elkyn/storage-lmdb'
import { selfSigned } from '@elkyn/tooling-certificates'
import { expect, test } from 'vitest'
import { SimpleHttpServer, createRequestHandler } from '../src/index.ts'
import { RawHttp2Client } from './http2/raw-client.ts'

const largeList = Array.from({ length: 3000 }, (_, index) => `${index} ${'x'.repeat(2000)}`)

test('the ETag of a large value is read with pauses, and is that of the writes', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-etags-'))
  try {
    await using tree = await openTree({ path, durability: 'relaxed' })
    await tree.set('/large', largeList)
    const handle = createRequestHandler({ store: tree.store })
    const { signal } = new AbortController()
    const ask = (method: string, url: string, headers: Record<string, string>, body?: Uint8Array) =>
      handle({ method, url, headers, body, signal })
    let turns = 0
    const turn = (): void => {
      turns++
      immediate = setImmediate(turn)
    }
    let immediate = setImmediate(turn)
    const { status, headers, body } = await ask('GET', '/large.json', {
      'x-firebase-etag': 'true',
    })
    expect(status).toBe(200)
    expect(turns).toBeGreaterThan(1)
    for (const _ of body as Iterable<Uint8Array>) continue
    const etag = headers[headers.indexOf('ETag') + 1]!
    using snapshot = tree.store.snapshot()
    expect(etag).toBe(snapshot.etag('/large' as never))
    turns = 0
    expect((await ask('GET', '/large.json', { 'if-none-match': etag })).status).toBe(304)
    expect(turns).toBeGreaterThan(1)
    turns = 0
    const refused = await ask('DELETE', '/large.json', { 'if-match': 'x' })
    expect([refused.status, refused.headers.includes(etag)]).toEqual([412, true])
    for (const _ of refused.body as Iterable<Uint8Array>) continue
    // Those of the comparison, and those of the answer.
    expect(turns).toBeGreaterThan(4)
    turns = 0
    const written = await ask(
      'PUT',
      '/copy.json?print=silent',
      { 'x-firebase-etag': 'true' },
      Buffer.from(JSON.stringify(largeList)),
    )
    expect([written.status, written.headers.includes(etag)]).toEqual([204, true])
    expect(turns).toBeGreaterThan(1)
    clearImmediate(immediate)
  } finally {
    await rm(path, { recursive: true })
  }
})

test('a client of HTTP/2 that goes while the ETag for its HEAD is read is no fault', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-etags-'))
  try {
    await using tree = await openTree({ path, durability: 'relaxed' })
    await tree.set('/large', largeList)
    const tls = selfSigned()
    const server = new SimpleHttpServer({ store: tree.store, port: 0, tls, metrics: true })
    await server.start()
    const { port, url } = server.address()
    for (let count = 0; count < 5; count++) {
      const client = await RawHttp2Client.connect(port, tls.cert)
      const headers = [['if-none-match', 'x']] as const
      for (const stream of [1, 3, 5]) client.request(stream, 'HEAD', '/large.json', { headers })
      client.request(7, 'DELETE', '/other.json?print=silent')
      await client.received(({ stream }) => stream === 7)
      client.socket.destroy()
    }
    const session = connect(url, { ca: tls.cert })
    const aborted = /requests_aborted_total 1[0-5]\n/
    while (!aborted.test(await text(session.request({ ':path': '/.metrics' }))));
    session.destroy()
    await server.close()
  } finally {
    await rm(path, { recursive: true })
  }
})
