import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KnownFields, SimpleRequestReader } from './simple-request.ts'

const maxHeadBytes = 1024

function read(text: string): ReturnType<SimpleRequestReader['read']> {
  return new SimpleRequestReader(new KnownFields(), maxHeadBytes).read(Buffer.from(text, 'latin1'))
}

test('takes a request in one piece', () => {
  const head =
    'PUT /a.json?print=pretty HTTP/1.1\r\nHost: x:8080\r\nContent-Length: 4\r\nX-Odd:\t\xe9 a \r\n'
  expect(read(`${head.replace(' \r\n', '\r\n')}\r\nnull`)).toEqual({
    method: 'PUT',
    url: '/a.json?print=pretty',
    headers: { host: 'x:8080', 'content-length': '4', 'x-odd': '\xe9 a' },
    body: Buffer.from('null'),
  })
})

test('takes the fields of each request, also where others were sent before', () => {
  const reader = new SimpleRequestReader(new KnownFields(), maxHeadBytes)
  const sent = ['1', '1', '2', ...Array.from({ length: 300 }, (_, index) => String(index)), '1']
  const values = sent.map((value) => {
    const bytes = Buffer.from(
      `GET /${value} HTTP/1.1\r\nHost: x\r\nIf-None-Match: ${value}\r\n\r\n`,
    )
    return reader.read(bytes)?.headers['if-none-match']
  })
  expect(values).toEqual(sent)
})

test.each([
  ['a piece of one', 'GET / HTTP/1.1\r\nHost: x\r\n'],
  ['a body of which more is to come', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nnull'],
  ['two of them', 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['something behind it', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nnull'],
  ['a body in chunks', 'PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a body of a GET', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1'],
  ['two lengths', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1'],
  ['a length that is none', 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n1'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n'],
  ['an older version', 'GET / HTTP/1.0\r\nHost: x\r\n\r\n'],
  ['another method', 'OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a whole URL', 'GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a space in the URL', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a byte beyond ASCII in the URL', 'GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['the end of the connection', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ['another protocol', 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n'],
  ['an expectation', 'PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: x\r\nX: 1\r\n 2\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: x\r\nX : 1\r\n\r\n'],
  ['a line feed alone', 'GET / HTTP/1.1\r\nHost: x\nX: 1\r\n\r\n'],
  ['a carriage return alone', 'GET / HTTP/1.1\r\nHost: x\rX: 1\r\n\r\n'],
  ['a control character', 'GET / HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n'],
  ['an empty line before it', '\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  [
    'a head that is too large',
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(maxHeadBytes)}\r\n\r\n`,
  ],
  ['__proto__', 'GET / HTTP/1.1\r\nHost: x\r\n__proto__: x\r\n\r\n'],
])('leaves %s to a real parser', (_, text) => {
  expect(read(text)).toBeUndefined()
})

/** Mostly the first of these, and sometimes anything. */
function mostly(...values: readonly string[]): fc.Arbitrary<string> {
  const noise = fc.string({
    unit: fc.constantFrom(...'aA:/ \t\r\n\0\xe9%"1,;'.split('')),
    maxLength: 4,
  })
  return fc.oneof({ arbitrary: fc.constantFrom(...values), weight: 12 }, noise)
}

const field = fc
  .tuple(
    mostly('Accept', 'Cookie', 'X-Firebase-ETag', 'If-Match', 'Connection', 'Keep-Alive', 'Host'),
    mostly(': ', ':', ':\t', ': '),
    mostly('keep-alive', 'x', 'text/html, */*;q=0.8', ''),
  )
  .map((parts) => parts.join(''))
const requestText = fc
  .tuple(
    mostly('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'),
    fc.tuple(mostly('/', '/a', '/a?b=%20#c'), mostly('', '/b')).map((parts) => parts.join('')),
    mostly(' HTTP/1.1'),
    fc.array(field, { maxLength: 3 }),
    fc.constantFrom('', '', '12', '\r\n', '1GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    mostly('', '0'),
  )
  .map(([method, url, version, fields, body, zeros]) => {
    const length = body === '' ? [] : [`Content-Length: ${zeros}${body.length}`]
    const lines = [`${method} ${url}${version}`, 'Host: x', ...fields, ...length]
    return `${lines.join('\r\n')}\r\n\r\n${body}`
  })

test('what it takes, the parser of Node takes for the same', async () => {
  let taken = 0
  await fc.assert(
    fc.asyncProperty(requestText, async (text) => {
      const request = read(text)
      if (request === undefined) return
      taken++
      expect(await readByNode(text)).toEqual({ ...request, body: Buffer.from(request.body ?? []) })
    }),
    { numRuns: 5000 },
  )
  expect(taken).toBeGreaterThan(100)
})

/** What Node's HTTP server makes of a connection with these bytes. */
async function readByNode(text: string): Promise<object> {
  const server = createServer()
  const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  connection.push(Buffer.from(text, 'latin1'))
  const come = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  server.emit('connection', connection)
  const [message] = await come
  const { method, url, headers } = message
  const body = await buffer(message)
  connection.destroy()
  return { method, url, headers: { ...headers }, body }
}
