import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { MemoryTreeStore } from '@elkyn/tree'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { SimpleHttpServer, ThreadPoolHttpServer } from '../src/index.ts'

// Requests that are right but for some bytes, on connections of their own. Whatever those make of them, each
// answer is one of HTTP, none is a fault of the server, and when the client has said all, the connection ends.

const targets = [
  '/a.json',
  '/a/b',
  '/.json?shallow=true',
  '/l.json?print=pretty',
  '/a.json?orderBy="$key"&limitToFirst=1&cursor=',
  '/a.json?where={"b":1}',
  '/.health',
  '/a/.watch',
  'http://x/a.json',
]
const fields = [
  'Connection: close',
  'Connection: keep-alive',
  'Expect: 100-continue',
  'Accept: text/event-stream',
  'Accept-Encoding: gzip, br',
  'X-HTTP-Method-Override: PATCH',
  'X-Firebase-ETag: true',
  'if-match: null_etag',
  'If-None-Match: *',
  'Idempotency-Key: till7-1',
  'Upgrade: websocket',
]
// Stands for much, lest a report of what has failed be as long.
const much = '\u00a7'
const muchBytes = 70_000
const bodies = ['1', '"\u00c3\u00a9"', '{"b":{"c":[1,null]}}', '{"b/c":1,"d":null}', `"${much}"`]

const request = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS', 'TRACE'),
    target: fc.constantFrom(...targets),
    version: fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
    given: fc.uniqueArray(fc.constantFrom(...fields), { maxLength: 3 }),
    body: fc.option(fc.constantFrom(...bodies)),
    isChunked: fc.boolean(),
  })
  .map(({ method, target, version, given, body, isChunked }) => {
    const head = [`${method} ${target} HTTP/${version}`, 'Host: x', ...given]
    const length = sent(body ?? '').length
    if (body !== null) {
      head.push(isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`)
    }
    const framed =
      isChunked && body !== null ? `${length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : (body ?? '')
    return `${head.join('\r\n')}\r\n\r\n${framed}`
  })

const marks =
  '\r\n|\n|\r|\0| |\t|:|,|/|//|..|?|#|%|%2F|"|{|}|[|.|$|0|-1|ffffffffff|\u00c3|*|;a=b|HTTP/2.0'
const breaking = [
  'Content-Length: 1',
  'Content-Length: 2, 3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  ' folded',
  'Host: y',
  '\r\n',
]
const token = fc.oneof(
  fc.constantFrom('', ...marks.split('|')),
  fc.constantFrom(...fields, ...breaking).map((line) => `\r\n${line}`),
  fc.string({ unit: fc.nat({ max: 0xff }).map((unit) => String.fromCharCode(unit)), maxLength: 4 }),
)
/** Takes some bytes away at a place and puts others there. */
const edit = fc.record({ at: fc.nat(), removed: fc.nat({ max: 3 }), put: token })

const wire = fc
  .tuple(
    fc.array(request, { minLength: 1, maxLength: 4 }),
    fc.array(edit, { minLength: 1, maxLength: 4 }),
  )
  .map(([requests, edits]) => {
    let bytes = requests.join('')
    for (const { at, removed, put } of edits) {
      const place = at % bytes.length
      bytes = bytes.slice(0, place) + put + bytes.slice(place + removed)
    }
    return bytes
  })

function sent(bytes: string): Buffer {
  return Buffer.from(bytes.replaceAll(much, 'x'.repeat(muchBytes)), 'latin1')
}

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

type Options = Pick<ConstructorParameters<typeof SimpleHttpServer>[0], 'port' | 'log'>

const servers: Readonly<
  Record<string, (options: Options) => Promise<SimpleHttpServer | ThreadPoolHttpServer>>
> = {
  SimpleHttpServer: async (options) =>
    new SimpleHttpServer({ ...options, store: new MemoryTreeStore() }),
  ThreadPoolHttpServer: async (options) => {
    const path = await mkdtemp(join(tmpdir(), 'elkyn-hostile-'))
    folders.push(path)
    const store = lmdbStorage({ path, durability: 'relaxed' })
    return new ThreadPoolHttpServer({ ...options, store, threads: 2 })
  },
}

describe.each(Object.keys(servers))('a %s', (name) => {
  test('answers HTTP to bytes that are nearly HTTP, and ends', async () => {
    const faults: object[] = []
    const log = { error: (fault: object) => faults.push(fault), warn: () => {} }
    await using server = await servers[name]!({ port: 0, log })
    await server.start()
    const { port } = server.address()
    await fc.assert(
      fc.asyncProperty(wire, async (bytes) => {
        const socket = connect(port, '127.0.0.1')
        socket.end(sent(bytes))
        const statuses = statusesOf(await received(socket))
        const wrong = statuses.filter((status) => status >= 500 && status !== 501)
        expect([wrong, faults]).toEqual([[], []])
      }),
    )
    expect(await (await fetch(`${server.address().url}/.health`)).json()).toEqual({ status: 'ok' })
  })
})

/** What came until the connection ended; the server may do that while more is sent to it. */
function received(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => {})
  socket.on('close', () => resolve(text))
  return promise
}

/** The statuses of answers that came one behind the other, each of them whole but for the last. */
function statusesOf(text: string): number[] {
  const statuses: number[] = []
  // No value that the tests write has a line like that.
  for (const part of text.split(/^(?=HTTP\/)/m)) {
    if (part === '') continue
    const [, status] =
      /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[\w-]+: [^\r\n]*\r\n)*\r\n/.exec(part) ?? []
    if (status === undefined) throw new Error(`Expected an answer, but got ${JSON.stringify(part)}`)
    statuses.push(Number(status))
  }
  return statuses
}
