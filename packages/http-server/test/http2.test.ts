import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '@elkyn/tooling-certificates'
import { fromJson, parsePath } from '@elkyn/tree'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { SimpleHttpServer } from '../src/index.ts'
import type { SimpleHttpServerOptions } from '../src/index.ts'
import { RawHttp2Client, endStream, frameTypes } from './http2/raw-client.ts'
import { ObservedStore } from './observed-store.ts'

const tls = selfSigned()
const large = Array.from({ length: 200 }, () => 'x'.repeat(100_000))
// Where the timers are the test's own.
const writeTimeoutMs = 1000

class Running implements AsyncDisposable {
  readonly store = new ObservedStore()
  readonly server: SimpleHttpServer

  static async start(options: Partial<SimpleHttpServerOptions> = {}): Promise<Running> {
    const running = new Running(options)
    await running.server.start()
    return running
  }

  constructor(options: Partial<SimpleHttpServerOptions>) {
    this.server = new SimpleHttpServer({ store: this.store, port: 0, tls, ...options })
  }

  get port(): number {
    return this.server.address().port
  }

  connect(): ClientHttp2Session {
    const session = connect(this.server.address().url, { ca: tls.cert })
    session.on('error', () => {})
    return session
  }

  raw(): Promise<RawHttp2Client> {
    return RawHttp2Client.connect(this.port, tls.cert)
  }

  /** Puts a value of many blocks at `/a`. */
  fill(): void {
    this.store.commit([{ pairs: [{ path: parsePath('/a'), value: fromJson(large) }] }])
  }

  /** Puts a value that is answered in one piece at `/record`. */
  record(): void {
    const value = 'x'.repeat(60_000)
    this.store.commit([{ pairs: [{ path: parsePath('/record'), value }] }])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ timeoutMs: 0 })
    await this.store.close()
  }
}

function ask(
  session: ClientHttp2Session,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const endsHere = method === 'GET' || method === 'HEAD'
  const request = session.request(
    { ':method': method, ':path': path, ...headers },
    { endStream: endsHere },
  )
  request.on('error', () => {})
  return request
}

/** Resolves when `part` has come. */
function received(stream: ClientHttp2Stream, part: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let all = ''
  stream.on('data', (chunk: Buffer) => {
    all += String(chunk)
    if (all.includes(part)) resolve()
  })
  return promise
}

/** @returns what lets {@link writeTimeoutMs} pass, for requests that come from now on. */
function clock(): () => void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  return () => void vi.advanceTimersByTime(writeTimeoutMs)
}

async function statusOf(request: ClientHttp2Stream): Promise<number | undefined> {
  const [headers] = (await once(request, 'response')) as [{ ':status'?: number }]
  return headers[':status']
}

async function streamBytes(session: ClientHttp2Session): Promise<number> {
  const metrics = await text(ask(session, 'GET', '/.metrics'))
  return Number(/elkyn_stream_bytes_total (\d+)\n/.exec(metrics)?.[1] ?? 0)
}

describe('requests over HTTP/2', () => {
  test('are answered at the same time, whatever one of them waits for', async () => {
    await using server = await Running.start()
    server.fill()
    const session = server.connect()
    // Nobody reads it, so that it stops at the window of its stream.
    const stalled = ask(session, 'GET', '/a.json')
    expect(await statusOf(stalled)).toBe(200)
    const others = Array.from({ length: 100 }, () =>
      text(ask(session, 'GET', '/a/0.json?print=silent')),
    )
    expect(new Set(await Promise.all(others))).toEqual(new Set(['']))
    expect(JSON.parse(await text(stalled))).toEqual(large)
    session.destroy()
  })

  test('that are reset give back what they held', async () => {
    await using server = await Running.start()
    server.fill()
    const session = server.connect()
    const requests = Array.from({ length: 5 }, () => ask(session, 'GET', '/a.json'))
    await Promise.all(requests.map(statusOf))
    expect(server.store.openSnapshots).toBe(5)
    for (const request of requests) request.close(constants.NGHTTP2_CANCEL)
    await server.store.snapshotsClosed()
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.destroy()
  })

  test('take an eighth of maxStreamedAnswers, and wait with further large answers only', async () => {
    await using server = await Running.start({ maxStreamedAnswers: 16 })
    server.fill()
    const session = server.connect()
    const asked = Array.from({ length: 5 }, () => ask(session, 'GET', '/a.json'))
    await Promise.all(asked.slice(0, 2).map(statusOf))
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    expect(server.store.openSnapshots).toBe(2)
    const other = server.connect()
    expect(JSON.parse(await text(ask(other, 'GET', '/a.json')))).toHaveLength(200)
    // Neither one that is given up nor one whose answer has become small keeps the others from their turns.
    asked[2]!.close(constants.NGHTTP2_CANCEL)
    server.store.commit([{ pairs: [{ path: parsePath('/a'), value: fromJson(1) }] }])
    asked[0]!.close(constants.NGHTTP2_CANCEL)
    expect(await Promise.all(asked.slice(3).map((request) => text(request)))).toEqual(['1', '1'])
    other.destroy()
    session.destroy()
  })

  test('that mean another method than they have take part in that', async () => {
    await using server = await Running.start({ maxStreamedAnswers: 16 })
    server.fill()
    const session = server.connect()
    const asked = Array.from({ length: 3 }, () => {
      const request = ask(session, 'POST', '/a.json', { 'x-http-method-override': 'get' })
      request.end('no read looks at this')
      return request
    })
    await Promise.all(asked.slice(0, 2).map(statusOf))
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    expect(server.store.openSnapshots).toBe(2)
    asked[0]!.close(constants.NGHTTP2_CANCEL)
    expect(await statusOf(asked[2]!)).toBe(200)
    session.destroy()
  })

  test('that wait with a large answer are told when their time is over', async () => {
    await using server = await Running.start({ maxStreamedAnswers: 8 })
    server.fill()
    const session = server.connect()
    const first = ask(session, 'GET', '/a.json')
    expect(await statusOf(first)).toBe(200)
    // Without a body it needs no place.
    expect(await statusOf(ask(session, 'HEAD', '/a.json'))).toBe(200)
    expect(await statusOf(ask(session, 'GET', '/a.json?timeout=50ms'))).toBe(400)
    session.destroy()
  })

  test('that are reset in their bodies store nothing, whatever the reset says', async () => {
    await using server = await Running.start()
    using client = await server.raw()
    for (const [index, code] of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR].entries()) {
      const stream = 2 * index + 1
      client.request(stream, 'PUT', '/a.json', { flags: 0 })
      client.send(frameTypes.data, 0, stream, Buffer.from('1'))
      client.reset(stream, code)
    }
    client.request(5, 'GET', '/.json')
    expect(await client.answer(5)).toBe('null')
  })

  test('are refused before their bodies have come, and go on with others', async () => {
    await using server = await Running.start({ maxBodyBytes: 100 })
    const session = server.connect()
    const refused = ask(session, 'PUT', '/a.json')
    refused.write('x'.repeat(1000))
    expect(await statusOf(refused)).toBe(413)
    expect(await text(refused)).toContain('Payload is too large')
    expect(await text(ask(session, 'GET', '/.json'))).toBe('null')
    session.destroy()
  })

  test('are told to go on with the body where they wait for it', async () => {
    await using server = await Running.start()
    const session = server.connect()
    const put = ask(session, 'PUT', '/a.json', { expect: '100-continue' })
    await once(put, 'continue')
    put.end('1')
    expect(await text(put)).toBe('1')
    session.destroy()
  })

  test('with a head over maxHeaderBytes are 431', async () => {
    await using server = await Running.start({ maxHeaderBytes: 2000 })
    const session = server.connect()
    expect(await statusOf(ask(session, 'GET', '/a.json', { x: 'x'.repeat(3000) }))).toBe(431)
    expect(await statusOf(ask(session, 'GET', '/a.json'))).toBe(200)
    session.destroy()
  })

  test('may have many headers', async () => {
    await using server = await Running.start()
    const session = server.connect()
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`x-${index}`, 'x']))
    const put = ask(session, 'PUT', '/a.json', { ...many, 'if-match': 'old' })
    put.end('1')
    expect(await statusOf(put)).toBe(412)
    session.destroy()
  })

  test('keep each of several conditions', async () => {
    await using server = await Running.start()
    using client = await server.raw()
    const headers = [
      ['if-match', 'null_etag'],
      ['if-match', 'other'],
    ] as const
    client.request(1, 'PUT', '/a.json', { flags: 0, headers })
    client.send(frameTypes.data, endStream, 1, Buffer.from('1'))
    await client.answer(1)
    client.request(3, 'GET', '/a.json')
    expect(await client.answer(3)).toBe('null')
  })

  test('choose a database by :authority, before Host', async () => {
    await using server = await Running.start({ namespaces: { names: ['shop', 'blog'] } })
    server.store.commit([{ pairs: [{ path: parsePath('/blog'), value: fromJson(1) }] }])
    const session = server.connect()
    const headers = { ':authority': 'blog.example.com', host: 'shop.example.com' }
    expect(await text(ask(session, 'GET', '/.json', headers))).toBe('1')
    const condition = { ...headers, 'if-none-match': 'x' }
    expect(await text(ask(session, 'GET', '/.json', condition))).toBe('1')
    session.destroy()
  })

  test('that want a tunnel are 405', async () => {
    await using server = await Running.start()
    const session = server.connect()
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'a:80' })
    expect(await statusOf(tunnel)).toBe(405)
    session.destroy()
  })

  test('are limited in number at one time', async () => {
    await using server = await Running.start({ maxConcurrentStreams: 3 })
    const session = server.connect()
    const [settings] = (await once(session, 'remoteSettings')) as [{ maxConcurrentStreams: number }]
    expect(settings.maxConcurrentStreams).toBe(3)
    session.destroy()
  })

  test('whose bodies take too long are 408', async () => {
    await using server = await Running.start({ requestTimeoutMs: 50 })
    const session = server.connect()
    const put = ask(session, 'PUT', '/a.json')
    put.write('"half')
    expect(await statusOf(put)).toBe(408)
    expect(await text(ask(session, 'GET', '/.json'))).toBe('null')
    session.destroy()
  })

  test.each([
    ['never end', `{"a":nonsense${' '.repeat(1000)}`, {}],
    ['never end, large', `{"a":nonsense${' '.repeat(200_000)}`, {}],
    ['take too long', '"half', { requestTimeoutMs: 50 }],
  ])('give up their places when they are answered, where bodies %s', async (_, begin, limits) => {
    await using server = await Running.start({ maxConcurrentStreams: 1, ...limits })
    const session = server.connect()
    for (let count = 0; count < 3; count++) {
      const put = ask(session, 'PUT', '/a.json', { 'content-length': '1000000' })
      put.write(begin)
      expect([400, 408]).toContain(await statusOf(put))
      put.resume()
      await once(put, 'close')
      expect(put.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
    }
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.close()
    await server.server.close({ timeoutMs: 60_000 })
  })

  test('leave nothing behind when they are answered before their bodies are read', async () => {
    await using server = await Running.start({ metrics: true })
    const session = server.connect()
    for (const print of ['', '?print=silent']) {
      const put = ask(session, 'PUT', `/a.json${print}`)
      put.end(`nonsense${' '.repeat(200_000)}`)
      expect(await text(put)).toContain('error')
    }
    // They are counted when they are gone.
    const isDone = /requests_total\{method="PUT",status="400"\} 2\n/
    while (!isDone.test(await text(ask(session, 'GET', '/.metrics'))));
    session.destroy()
  })

  test('whose answers nobody takes are reset, and others go on', async () => {
    await using server = await Running.start({ writeTimeoutMs: 50 })
    server.fill()
    const session = server.connect()
    const stalled = ask(session, 'GET', '/a.json')
    await once(stalled, 'close')
    expect(stalled.rstCode).toBe(constants.NGHTTP2_CANCEL)
    expect(server.store.openSnapshots).toBe(0)
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.destroy()
  })

  test('whose answers nobody takes are reset, whatever else the connection is busy with', async () => {
    await using server = await Running.start({ writeTimeoutMs: 100 })
    server.fill()
    const session = server.connect()
    const stalled = ask(session, 'GET', '/a.json')
    while (!stalled.closed) await text(ask(session, 'GET', '/b.json'))
    expect(stalled.rstCode).toBe(constants.NGHTTP2_CANCEL)
    expect(server.store.openSnapshots).toBe(0)
    session.destroy()
  })

  test('whose answers wait behind others go on while those are taken', async () => {
    await using server = await Running.start({ writeTimeoutMs })
    server.record()
    using client = await server.raw()
    const pass = clock()
    client.setWindows(0x7fff_ffff)
    const streams = Array.from({ length: 10 }, (_, index) => 2 * index + 1)
    for (const stream of streams) client.request(stream, 'GET', '/record.json')
    for (let taken = 65_535; taken < 500_000; taken += 100_000) {
      await client.taken(taken)
      pass()
      client.openWindow(0, 100_000)
    }
    client.openWindow(0, 1_000_000)
    for (const stream of streams) expect(await client.answer(stream)).toHaveLength(60_002)
  })

  test('whose answers wait behind others are reset when those are no longer taken', async () => {
    await using server = await Running.start({ writeTimeoutMs })
    server.record()
    using client = await server.raw()
    const pass = clock()
    client.setWindows(0x7fff_ffff)
    for (const stream of [1, 3, 5]) client.request(stream, 'GET', '/record.json')
    await client.taken(65_535)
    pass()
    pass()
    for (const stream of [3, 5]) await client.resetOf(stream)
  })

  test.each([
    ['as far as they may be sent', [1_000_000, 9_000_000]],
    ['more slowly than they are sent', [0x1000_0000, 0x1000_0000]],
  ])('whose answers nobody takes are reset while others are taken %s', async (_, windows) => {
    await using server = await Running.start({ writeTimeoutMs })
    server.fill()
    using client = await server.raw()
    const pass = clock()
    client.openWindows(0)
    for (const stream of [1, 3]) client.request(stream, 'GET', '/a.json')
    for (const [index, taken] of [1_000_000, 10_000_000].entries()) {
      client.openWindow(3, windows[index]!)
      await client.taken(taken)
      client.socket.pause()
      pass()
      client.socket.resume()
    }
    await client.resetOf(1)
    client.openWindow(3, 20_000_000)
    expect(JSON.parse(await client.answer(3))).toHaveLength(200)
  })

  test('are all answered, however many and large answers are asked for at once', async () => {
    await using server = await Running.start()
    server.record()
    const session = server.connect()
    await once(session, 'remoteSettings')
    const answers = await Promise.all(
      Array.from({ length: 250 }, () => text(ask(session, 'GET', '/record.json'))),
    )
    expect(new Set(answers.map(({ length }) => length))).toEqual(new Set([60_002]))
    session.destroy()
  })

  test('are begun when answers leave, writes at once', async () => {
    await using server = await Running.start()
    server.record()
    using client = await server.raw()
    client.openWindows(0)
    const reads = Array.from({ length: 100 }, (_, index) => 2 * index + 1)
    for (const stream of reads) client.request(stream, 'GET', '/record.json')
    client.request(201, 'PUT', '/a.json?print=silent', { flags: 0 })
    client.send(frameTypes.data, endStream, 201, Buffer.from('1'))
    await client.answer(201)
    const begun = client.frames.filter(({ type }) => type === frameTypes.headers)
    expect(begun.map(({ stream }) => stream)).toEqual([...reads.slice(0, 70), 201])
    client.reset(1, constants.NGHTTP2_CANCEL)
    client.reset(199, constants.NGHTTP2_CANCEL)
    // Also when no further ones are taken.
    const closed = server.server.close({ timeoutMs: 60_000 })
    client.setWindows(0x7fff_ffff)
    for (const stream of reads.slice(1, 99)) {
      expect(await client.answer(stream)).toHaveLength(60_002)
    }
    await closed
  })

  test('that wait for answers to leave are begun when those are reset', async () => {
    await using server = await Running.start({ writeTimeoutMs })
    server.record()
    using client = await server.raw()
    const pass = clock()
    client.openWindows(0)
    for (let stream = 1; stream < 200; stream += 2) client.request(stream, 'GET', '/record.json')
    await client.received(({ stream }) => stream === 139)
    pass()
    pass()
    await client.resetOf(139)
    await client.received(({ stream }) => stream === 199)
  })

  test('of a client that takes nothing more end with its connection, where not even a reset can leave', async () => {
    await using server = await Running.start({ writeTimeoutMs: 50 })
    server.fill()
    const clients = await Promise.all(Array.from({ length: 5 }, async () => server.raw()))
    for (const client of clients) {
      client.openWindows()
      client.request(1, 'GET', '/a.json')
      await client.received(({ type }) => type === frameTypes.data)
      client.socket.pause()
    }
    await server.store.snapshotsClosed()
    for (const client of clients) {
      // It was told by the system alone.
      client.socket.resume()
      if (!client.socket.closed) await once(client.socket, 'close')
    }
  })

  test('whose client goes before their answers have left are no answers', async () => {
    await using server = await Running.start({ metrics: true })
    server.record()
    const client = await server.raw()
    client.openWindows(0)
    for (const stream of [1, 3, 5]) client.request(stream, 'GET', '/record.json')
    client.request(7, 'HEAD', '/record.json')
    await client.received(({ stream }) => stream === 7)
    client.socket.destroy()
    const session = server.connect()
    const isDone = /requests_aborted_total 3\n/
    while (!isDone.test(await text(ask(session, 'GET', '/.metrics'))));
    session.destroy()
  })

  test('whose small bodies do not end give way to others', async () => {
    await using server = await Running.start({ maxArrivingBytes: 100_000 })
    const session = server.connect()
    const begin = async (path: string): Promise<ClientHttp2Stream> => {
      const request = ask(session, 'PUT', path, { 'content-length': 50_002 })
      await new Promise((resolve) => request.write(`"${'x'.repeat(40_000)}`, resolve))
      return request
    }
    const slow = await begin('/a.json')
    const refused = statusOf(slow)
    const others = [await begin('/b.json'), await begin('/c.json?print=silent')]
    expect(await refused).toBe(503)
    others[1]!.end(`${'x'.repeat(10_000)}"`)
    expect(await statusOf(others[1]!)).toBe(204)
    expect(await text(ask(session, 'GET', '/a.json'))).toBe('null')
    session.destroy()
  })

  test('are counted as those of HTTP/1.1 are', async () => {
    await using server = await Running.start({ metrics: true })
    server.fill()
    const session = server.connect()
    await text(ask(session, 'GET', '/b.json'))
    await text(ask(session, 'GET', '/b'))
    for (let count = 0; count < 20; count++) {
      const write = ask(session, 'PUT', '/c.json')
      write.end('"text"')
      expect(await text(write)).toBe('"text"')
    }
    const aborted = ask(session, 'GET', '/a.json')
    await statusOf(aborted)
    aborted.close(constants.NGHTTP2_CANCEL)
    await server.store.snapshotsClosed()
    const metrics = await text(ask(session, 'GET', '/.metrics'))
    expect(metrics).toMatch(/requests_total\{method="GET",status="200"\} 1\n/)
    expect(metrics).toMatch(/requests_total\{method="GET",status="404"\} 1\n/)
    expect(metrics).toMatch(/requests_total\{method="PUT",status="200"\} 20\n/)
    expect(metrics).toMatch(/requests_aborted_total 1\n/)
    expect(metrics).toMatch(/connections 1\n/)
    session.destroy()
  })
})

describe('connections of HTTP/2', () => {
  test('that reset one request after the other are ended', async () => {
    await using server = await Running.start()
    using client = await server.raw()
    const closed = once(client.socket, 'close')
    for (let stream = 1; stream < 4000; stream += 2) {
      client.request(stream, 'GET', '/a.json')
      client.reset(stream, constants.NGHTTP2_CANCEL)
    }
    await closed
    const session = server.connect()
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.destroy()
  })

  test('take the greatest limits that there are', async () => {
    const maxSetting = 2 ** 32 - 1
    const limits = { maxConcurrentStreams: maxSetting, maxHeaderBytes: maxSetting - 64 * 1024 }
    await using server = await Running.start(limits)
    const session = server.connect()
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.destroy()
  })

  test('over maxConnections are told so', async () => {
    await using server = await Running.start({ maxConnections: 1 })
    const first = server.connect()
    expect(await statusOf(ask(first, 'GET', '/.health'))).toBe(200)
    const second = server.connect()
    const refused = ask(second, 'GET', '/.health')
    expect(await statusOf(refused)).toBe(503)
    expect(await text(refused)).toContain('Too many connections')
    await once(second, 'close')
    first.destroy()
  })

  test('on which nothing is asked are closed, whatever they ping', async () => {
    for (const limits of [{ headersTimeoutMs: 500 }, { keepAliveTimeoutMs: 50 }]) {
      await using server = await Running.start(limits)
      using client = await server.raw()
      const closed = once(client.socket, 'close')
      if ('keepAliveTimeoutMs' in limits) client.request(1, 'GET', '/.health')
      client.socket.on('data', () => client.send(frameTypes.ping, 0, 0, Buffer.alloc(8)))
      client.send(frameTypes.ping, 0, 0, Buffer.alloc(8))
      await client.received(({ type }) => type === frameTypes.goAway)
      await closed
    }
  })

  test('that never finish their handshake are closed', async () => {
    await using server = await Running.start({ headersTimeoutMs: 50 })
    const socket = connectPlain(server.port, '127.0.0.1')
    expect(await text(socket)).toBe('')
  })

  test('end behind what is in progress when the server closes', async () => {
    await using server = await Running.start()
    server.fill()
    const session = server.connect()
    const answer = ask(session, 'GET', '/a.json')
    expect(await statusOf(answer)).toBe(200)
    const resting = server.connect()
    await text(ask(resting, 'GET', '/.health'))
    const shaking = connectPlain(server.port, '127.0.0.1')
    await once(shaking, 'connect')
    const wentAway = once(session, 'goaway')
    const closed = server.server.close({ timeoutMs: 60_000 })
    const [code] = (await wentAway) as [number]
    expect(code).toBe(constants.NGHTTP2_NO_ERROR)
    expect((await buffer(answer)).length).toBeGreaterThan(20_000_000)
    await closed
  })

  test('are broken off at the deadline', async () => {
    await using server = await Running.start()
    server.fill()
    const session = server.connect()
    const stalled = ask(session, 'GET', '/a.json')
    await statusOf(stalled)
    await server.server.close({ timeoutMs: 1 })
    await server.store.snapshotsClosed()
  })
})

describe('streams over HTTP/2', () => {
  test('are told what changes beside other requests, and give up their place when they are reset', async () => {
    await using server = await Running.start({ streams: { maxStreams: 2 } })
    const session = server.connect()
    const accept = 'text/event-stream'
    const [first, second] = [
      ask(session, 'GET', '/a.json', { accept }),
      ask(session, 'GET', '/b', { accept }),
    ]
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200])
    const told = received(first, '{"path":"/c","data":1}')
    const put = ask(session, 'PUT', '/a/c.json')
    put.end('1')
    expect(await text(put)).toBe('1')
    await told

    expect(await statusOf(ask(session, 'GET', '/c.json', { accept }))).toBe(503)
    second.close(constants.NGHTTP2_CANCEL)
    // The reset may be on its way for a while.
    for (let status: number | undefined = 503; status !== 200;) {
      status = await statusOf(ask(session, 'GET', '/c.json', { accept }))
      expect([200, 503]).toContain(status)
    }
    session.destroy()
  })

  test('are forgotten when their clients go, with or without a word', async () => {
    await using server = await Running.start({ metrics: true })
    const goes: ((client: RawHttp2Client) => void)[] = [
      (client) => client.reset(1, constants.NGHTTP2_CANCEL),
      ({ socket }) => socket.end(),
      ({ socket }) => socket.destroy(),
    ]
    const session = server.connect()
    const metric = async (name: string): Promise<number> => {
      const metrics = await text(ask(session, 'GET', '/.metrics'))
      return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1])
    }
    for (const go of goes) {
      using client = await server.raw()
      client.request(1, 'GET', '/a.json', { headers: [['accept', 'text/event-stream']] })
      await client.received(({ payload }) => payload.includes('event: put'))
      expect(await metric('elkyn_streams')).toBe(1)
      go(client)
      while ((await metric('elkyn_streams')) > 0);
      expect(await metric('elkyn_stream_subscriptions')).toBe(0)
    }
    session.destroy()
  })

  test('leave room for other requests, whatever waits for their client', async () => {
    await using server = await Running.start({ metrics: true })
    const session = server.connect()
    using client = await server.raw()
    client.openWindows(0)
    const headers = [['accept', 'text/event-stream']] as const
    const streams = Array.from({ length: 249 }, (_, index) => 2 * index + 1)
    for (const stream of streams) client.request(stream, 'GET', '/a.json', { headers })
    // More than Node gathers: behind the first event a small one, and a part of a large one.
    let bytes = 0
    for (const length of [0, 50_000, 100_000]) {
      const put = ask(session, 'PUT', '/a.json?print=silent')
      put.end(JSON.stringify('x'.repeat(length)))
      expect(await statusOf(put)).toBe(204)
      for (bytes += 249 * length; (await streamBytes(session)) < bytes;);
    }
    expect(client.frames.filter(({ type }) => type === frameTypes.reset)).toEqual([])
    const first = 100
    for (const stream of streams) client.openWindow(stream, first)
    await client.taken(249 * first)
    client.request(499, 'PUT', '/b.json?print=silent', { flags: 0 })
    client.send(frameTypes.data, endStream, 499, Buffer.from('1'))
    const { type } = await client.received(({ stream }) => stream === 499)
    expect(type).toBe(frameTypes.headers)
    session.destroy()
  })

  test('are told when to come back and ended when the server closes', async () => {
    await using server = await Running.start()
    const session = server.connect()
    const stream = ask(session, 'GET', '/a.json', { accept: 'text/event-stream' })
    const sent = text(stream)
    await statusOf(stream)
    await server.server.close({ timeoutMs: 60_000 })
    // Its first event may have been on its way or not.
    expect(await sent).toMatch(/(?:^|\n)retry: \d+\n\n$/)
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR)
  })
})

describe('renewTls()', () => {
  test('gives another certificate to connections from then on', async () => {
    await using server = await Running.start()
    const session = server.connect()
    await text(ask(session, 'GET', '/.health'))
    const renewed = selfSigned()
    server.server.renewTls(renewed)
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.destroy()
    const socket = connectTls({ host: '127.0.0.1', port: server.port, ca: renewed.cert })
    await once(socket, 'secureConnect')
    expect(socket.authorized).toBe(true)
    socket.destroy()
  })

  test('throws for what is no key and certificate, and keeps the earlier ones', async () => {
    await using server = await Running.start()
    const other = selfSigned()
    for (const bad of [
      { key: 'x', cert: tls.cert },
      { key: tls.key, cert: 'x' },
      { key: other.key, cert: tls.cert },
    ]) {
      expect(() => server.server.renewTls(bad)).toThrow(TypeError)
      expect(() => new SimpleHttpServer({ store: server.store, tls: bad })).toThrow(TypeError)
    }
    const session = server.connect()
    expect(await text(ask(session, 'GET', '/.health'))).toBe('{"status":"ok"}')
    session.destroy()
  })

  test('throws where there is no TLS', () => {
    const server = new SimpleHttpServer({ store: new ObservedStore() })
    expect(() => server.renewTls(tls)).toThrow('without the option tls')
  })
})
