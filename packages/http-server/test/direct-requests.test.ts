import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { MemoryTreeStore, parseJson, rootPath } from '@elkyn/tree'
import type { TreeValue, TreeWrite, WriteOutcome } from '@elkyn/tree'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listenersOf } from '../src/direct-requests.ts'
import { HttpListener } from '../src/http-listener.ts'
import { SimpleHttpServer } from '../src/index.ts'
import type { SimpleHttpServerOptions } from '../src/index.ts'
import { resolveLimits } from '../src/limits.ts'
import { silentLog } from '../src/log.ts'
import type { Answer, HttpRequest } from '../src/message.ts'

// Node's HTTP server has the first request of each connection, and those that are not simple.

const data = {
  a: 'é',
  large: Array.from({ length: 9 }, () => 'x'.repeat(9000)),
  long: 'y'.repeat(5000),
}

// Else all requests would go its way, and only be slower.
test("Node's HTTP server listens to its sockets as it is known to", async () => {
  const server = createServer()
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  onTestFinished(() => void client.destroy())
  const [socket] = (await once(server, 'connection')) as [Socket]
  expect(listenersOf(socket)).toBeDefined()
})

// Else the memory of large bodies would be given back late, which stops the thread now and then.
test("Node's HTTP server copies bodies out of what it reads", async () => {
  const read: ArrayBufferLike[] = []
  const given: ArrayBufferLike[] = []
  const server = createServer((message, response) => {
    message.on('data', (chunk: Buffer) => given.push(chunk.buffer))
    message.on('end', () => response.end())
  })
  onTestFinished(() => void server.close())
  server.on('connection', (socket) => {
    socket.on('data', (bytes: Buffer) => read.push(bytes.buffer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  onTestFinished(() => void client.destroy())
  const length = 300_000
  client.write(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`)
  client.write(Buffer.alloc(length))
  await once(client, 'data')
  expect(given.length).toBeGreaterThan(1)
  expect(given.filter((buffer) => read.includes(buffer))).toEqual([])
})

/** A store whose writes wait for {@link open}. */
class HeldStore extends MemoryTreeStore {
  readonly #gate = Promise.withResolvers<void>()
  readonly #come = Promise.withResolvers<void>()
  /** When a write has come. */
  readonly come: Promise<void> = this.#come.promise

  open(): void {
    this.#gate.resolve()
  }

  override async write(write: TreeWrite): Promise<WriteOutcome> {
    this.#come.resolve()
    await this.#gate.promise
    return super.write(write)
  }
}

/** A connection to a server that has {@link data}. */
async function open<S extends MemoryTreeStore>(
  store: S,
  options: Partial<SimpleHttpServerOptions> = {},
): Promise<{ server: SimpleHttpServer; socket: Socket; store: S }> {
  store.commit([{ pairs: [{ path: rootPath, value: valueOf(data) }] }])
  const server = new SimpleHttpServer({ store, port: 0, ...options })
  onTestFinished(() => server.close({ timeoutMs: 0 }))
  await server.start()
  const socket = connect(server.address().port, '127.0.0.1').setNoDelay()
  onTestFinished(() => void socket.destroy())
  return { server, socket, store }
}

function valueOf(json: object): TreeValue {
  return parseJson(Buffer.from(JSON.stringify(json)))
}

function request(line: string, fields: readonly string[] = [], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return `${[`${line} HTTP/1.1`, 'Host: x', ...fields, ...length].join('\r\n')}\r\n\r\n${body}`
}

/** Sends bytes, and takes what comes back up to the end of an answer. */
async function exchange(socket: Socket, bytes: string, isHead = false): Promise<string> {
  socket.write(bytes)
  return receive(socket, isHead)
}

async function receive(socket: Socket, isHead = false): Promise<string> {
  let received = Buffer.alloc(0)
  while (!isWhole(received, isHead)) {
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    received = Buffer.concat([received, bytes])
  }
  return received.toString()
}

function isWhole(received: Buffer, isHead: boolean): boolean {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  const head = received.toString('latin1', 0, headEnd)
  if (isHead || /^HTTP\/1.1 (?:204|304)/.test(head)) return true
  const length = /Content-Length: (\d+)/.exec(head)?.[1]
  if (length === undefined) return received.toString('latin1').endsWith('\r\n0\r\n\r\n')
  return received.length === headEnd + 4 + Number(length)
}

/** Lets the server take what has been sent: it lies with the system. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await setImmediate()
}

/** Makes the next request one that goes past Node's HTTP server. */
async function warm(socket: Socket): Promise<void> {
  expect(await exchange(socket, request('GET /nothing.json'))).toMatch(/^HTTP\/1\.1 200 /)
}

const headOverride = 'X-HTTP-Method-Override: HEAD'

describe('an answer is the same, byte for byte, whichever way it goes', () => {
  test.each([
    ['a leaf', request('GET /a.json')],
    ['nothing, on the native surface', request('GET /b/c')],
    ['a long leaf', request('GET /long.json')],
    ['an answer in blocks', request('GET /large.json')],
    ['a head', request('HEAD /a.json')],
    ['the head of an answer in blocks', request('HEAD /large.json')],
    ['an ETag', request('GET /a.json', ['X-Firebase-ETag: true'])],
    ['the head of a stream, asked for with POST', request('POST /.watch', [headOverride])],
    ['a query', request('GET /.json?shallow=true')],
    ['a file', request('GET /a.json?download=%C3%A9.json')],
    ['a write', request('PUT /a.json', [], '"é"')],
    ['a write without an answer', request('PUT /a.json?print=silent', [], '"é"')],
    ['an update', request('PATCH /.json', [], '{"b":null,"a":"é"}')],
    ['a deletion', request('DELETE /c.json')],
    ['a write without a body', request('PUT /a.json')],
    ['a broken body', request('PUT /a.json', [], '{')],
    ['a wrong path', request('GET /a.b.json')],
    ['a condition that fails', request('PUT /a.json', ['If-Match: x'], '1')],
    ['what is not there yet', request('GET /a.json?auth=x')],
    ['a body in another coding', request('PUT /a.json', ['Content-Encoding: br'], '1')],
  ])('%s', async (_, bytes) => {
    const { socket } = await open(new MemoryTreeStore())
    const isHead = bytes.startsWith('HEAD')
    const [first, second] = [
      await exchange(socket, bytes, isHead),
      await exchange(socket, bytes, isHead),
    ].map((answer) => answer.replace(/Date: .*/, ''))
    expect(second).toBe(first)
    expect(first).toMatch(/^HTTP\/1\.1 \d{3} /)
  })

  test('a URL that is too long, and a body that is too large', async () => {
    const { socket } = await open(new MemoryTreeStore(), { maxUrlBytes: 20, maxBodyBytes: 10 })
    await warm(socket)
    expect(await exchange(socket, request(`GET /${'a'.repeat(20)}`))).toMatch(/^HTTP\/1\.1 414 /)
    const answer = await exchange(socket, request('PUT /a', [], '"0123456789"'))
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })
})

test('what comes behind an answer in blocks is answered once', async () => {
  const { socket } = await open(new MemoryTreeStore())
  await warm(socket)
  await exchange(socket, request('GET /large.json'))
  expect(await exchange(socket, request('GET /a.json'))).toMatch(/\r\n\r\n"é"$/)
  socket.end(request('GET /nothing.json'))
  expect((await text(socket)).match(/HTTP/g)).toHaveLength(1)
})

test('a request that arrives behind another one is answered after it', async () => {
  const { socket, store } = await open(new HeldStore())
  await warm(socket)
  socket.write(request('PUT /a.json', [], '1'))
  await store.come
  socket.write(request('GET /a.json'))
  socket.write(request('GET /nothing.json').slice(0, 20))
  store.open()
  socket.end(request('GET /nothing.json').slice(20))
  const bodies = (await text(socket)).split(/HTTP.*?\r\n\r\n/s)
  expect(bodies).toEqual(['', '1', '1', 'null'])
})

test('more than is held behind a request waits in the socket', async () => {
  const { socket, store } = await open(new HeldStore())
  await warm(socket)
  socket.write(request('PUT /a.json', [], '1'))
  await store.come
  const value = JSON.stringify('z'.repeat(500_000))
  socket.end(request('PUT /b.json?print=silent', [], value) + request('GET /a.json'))
  store.open()
  const heads = (await text(socket)).match(/HTTP\/1\.1 \d+/g)
  expect(heads).toEqual(['HTTP/1.1 200', 'HTTP/1.1 204', 'HTTP/1.1 200'])
})

test('a client that has closed its side gets its answer, and then the connection ends', async () => {
  const { socket, store } = await open(new HeldStore())
  await warm(socket)
  socket.end(request('PUT /a.json', [], '1'))
  await store.come
  await setImmediate()
  store.open()
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\n1$/s)
})

test('close() lets a request be answered, and says that the connection ends', async () => {
  const { server, socket, store } = await open(new HeldStore())
  await warm(socket)
  socket.write(request('PUT /a.json', [], '1'))
  await store.come
  const closed = server.close()
  store.open()
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*Connection: close\r\n\r\n1$/s)
  await closed
})

test.each([
  ['whole', '/a.json', /"é"$/],
  ['in blocks', '/large.json', /\r\n0\r\n\r\n$/],
])(
  'requests that had come behind one are answered too, the last one %s: close()',
  async (_, last, end) => {
    const { server, socket, store } = await open(new HeldStore())
    await warm(socket)
    socket.write(request('PUT /b.json', [], '1'))
    await store.come
    const behind = request('GET /b.json') + request('DELETE /c.json') + request(`GET ${last}`)
    await new Promise((resolve) => socket.write(behind, resolve))
    const closed = server.close()
    await turns()
    store.open()
    const received = await text(socket)
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(Array(4).fill('HTTP/1.1 200'))
    expect(received.match(/Connection: close/g)).toHaveLength(1)
    expect(received).toMatch(/Connection: close.*$/s)
    expect(received).toMatch(end)
    await closed
  },
)

test('one that had come behind an answer in blocks is answered too: close()', async () => {
  const gate = Promise.withResolvers<void>()
  const come = Promise.withResolvers<void>()
  const answer = async ({ url }: HttpRequest): Promise<Answer> => {
    if (url !== '/blocks') return { status: 200, headers: [], body: Buffer.from('whole') }
    come.resolve()
    await gate.promise
    return { status: 200, headers: [], body: [Buffer.from('in '), Buffer.from('blocks')] }
  }
  const listener = new HttpListener(answer, { limits: resolveLimits({}), log: silentLog })
  onTestFinished(() => listener.close(0))
  await listener.start({ host: '127.0.0.1', port: 0 })
  const socket = connect(listener.address.port, '127.0.0.1').setNoDelay()
  onTestFinished(() => void socket.destroy())
  await warm(socket)
  socket.write(request('GET /blocks'))
  await come.promise
  await new Promise((resolve) => socket.write(request('GET /a'), resolve))
  const closed = listener.close(Infinity)
  await turns()
  gate.resolve()
  const received = await text(socket)
  expect(received).toMatch(/Transfer-Encoding: chunked.*blocks.*Connection: close.*whole$/s)
  expect(received.match(/Connection: close/g)).toHaveLength(1)
  await closed
})

test('requests that had come behind one with the end of its client are answered too', async () => {
  const { socket, store } = await open(new HeldStore())
  await warm(socket)
  socket.write(request('PUT /b.json', [], '1'))
  await store.come
  socket.end(request('GET /b.json') + request('GET /a.json'))
  await once(socket, 'finish')
  await turns()
  store.open()
  const received = await text(socket)
  expect(received.split(/HTTP.*?\r\n\r\n/s)).toEqual(['', '1', '1', '"é"'])
})

test('a part of a request behind the last one keeps no connection open: close()', async () => {
  const { server, socket, store } = await open(new HeldStore())
  await warm(socket)
  socket.write(request('PUT /b.json', [], '1'))
  await store.come
  await new Promise((resolve) => socket.write('GET /b.json HT', resolve))
  const closed = server.close()
  await turns()
  store.open()
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\n1$/s)
  await closed
})

test('a connection that rests is closed in time, also behind such an answer', async () => {
  const { socket } = await open(new MemoryTreeStore(), { keepAliveTimeoutMs: 1 })
  await warm(socket)
  await exchange(socket, request('GET /a.json'))
  await once(socket.resume(), 'close')
})

test('a request that takes too long to arrive is answered so', async () => {
  const { socket } = await open(new MemoryTreeStore(), { headersTimeoutMs: 500 })
  await warm(socket)
  await exchange(socket, request('GET /a.json'))
  socket.write('GET /a.json HTTP/1.1\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /)
})

test('what is no HTTP is answered so', async () => {
  const { socket } = await open(new MemoryTreeStore())
  await warm(socket)
  socket.write('nonsense\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
})

test('a stream goes on', async () => {
  const { socket, store } = await open(new MemoryTreeStore())
  await warm(socket)
  let received = ''
  socket.on('data', (bytes) => (received += bytes.toString()))
  socket.write(request('GET /a.json', ['Accept: text/event-stream']))
  while (!received.includes('"data":"é"')) await once(socket, 'data')
  store.commit([{ pairs: [{ path: rootPath, value: valueOf({ a: 2 }) }] }])
  while (!received.includes('"data":2')) await once(socket, 'data')
  expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
})

test('answers are counted once each, and those that nobody takes as aborted', async () => {
  const { server, socket, store } = await open(new HeldStore(), { metrics: { port: 0 } })
  await warm(socket)
  await exchange(socket, request('GET /a.json'))
  await exchange(socket, request('GET /large.json'))
  const other = connect(server.address().port, '127.0.0.1')
  await warm(other)
  other.write(request('PUT /a.json', [], '1'))
  await store.come
  other.resetAndDestroy()
  const metrics = async (): Promise<string> =>
    (await fetch(`${server.metricsAddress().url}/.metrics`)).text()
  let page = await metrics()
  while (!/aborted\w* 1\n/.test(page)) page = await metrics()
  expect(page).toMatch(/requests_total\{.*method="GET".*status="200".*\} 4\n/)
  store.open()
})
