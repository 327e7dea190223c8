import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { openTree } from '@elkyn/storage-lmdb'
import { selfSigned } from '@elkyn/tooling-certificates'
import { parsePath } from '@elkyn/tree'
import { expect, test, vi } from 'vitest'
import { SimpleHttpServer, createRequestHandler } from '../src/index.ts'
import { silentLog } from '../src/log.ts'
import { PutOffAnswer, putOffWrite } from '../src/put-off.ts'
import { writerHandlersOf } from '../src/request-handler.ts'
import { StreamedAnswers } from '../src/streamed-answers.ts'
import { RawHttp2Client } from './http2/raw-client.ts'
import { threadData } from './threads/thread-data.ts'

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

test('the ETag of a large value is read no further when nobody waits for the answer of a write', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-etags-'))
  try {
    await using tree = await openTree({ path, durability: 'relaxed' })
    await tree.set('/large', largeList)
    const error = vi.fn<() => void>()
    const handle = createRequestHandler({ store: tree.store, log: { error, warn: error } })
    const signal = AbortSignal.abort()
    const headers = { 'if-match': 'x' }
    const request = { method: 'DELETE', url: '/large.json', headers, body: undefined, signal }
    expect((await handle(request)).status).toBe(400)
    expect(error).not.toHaveBeenCalled()
    expect(tree.keys('/large', { limit: 1 })).toEqual(['0'])
  } finally {
    await rm(path, { recursive: true })
  }
})

test('a thread that writes puts off what has to read large values', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-etags-'))
  try {
    const { maxBodyBytes, plan } = threadData(path)
    await using tree = await openTree({ path, durability: 'relaxed' })
    const { store } = tree
    await tree.set('/large', largeList)
    const streamedAnswers = new StreamedAnswers(8)
    const parts = { store, maxBodyBytes, plan, streamedAnswers, log: silentLog }
    const { quick, patient } = writerHandlersOf(parts)
    const { signal } = new AbortController()
    using snapshot = store.snapshot()
    const etag = snapshot.etag(parsePath('/large'))
    const ask = (query: string, ifMatch?: string) => ({
      method: 'DELETE',
      url: `/large.json${query}`,
      headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
      body: undefined,
      signal,
    })
    for (const request of [ask('?writeSizeLimit=small'), ask('', etag), ask('', 'x')]) {
      expect(await quick(request)).toBe(putOffWrite)
    }
    expect(tree.keys('/large', { limit: 1 })).toEqual(['0'])
    const refused = await patient(ask('', 'x'))
    expect(refused).toBeInstanceOf(PutOffAnswer)
    const { status, headers, body } = await (refused as PutOffAnswer).read(async () => {})
    expect([refused.status, status, headers.includes(etag)]).toEqual([412, 412, true])
    for (const _ of body as Iterable<Uint8Array>) continue
    expect((await patient(ask('?writeSizeLimit=tiny'))).status).toBe(400)
    expect((await patient(ask('?writeSizeLimit=small', etag))).status).toBe(200)
    expect(await tree.get('/large')).toBe(null)
    await tree.set('/large', 1)
    expect((await quick(ask('', 'x'))).status).toBe(412)
    expect((await quick(ask('?writeSizeLimit=tiny'))).status).toBe(200)
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
