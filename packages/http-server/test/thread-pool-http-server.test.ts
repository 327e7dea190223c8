import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { ThreadPool } from '@elkyn/thread-pool'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ThreadPoolHttpServer } from '../src/index.ts'
import { EventClient } from './streams/event-client.ts'
import { FaultWord } from './threads/faulty-store.ts'
import { Running } from './threads/running.ts'

const large = JSON.stringify(Array.from({ length: 200 }, () => 'x'.repeat(100_000)))

describe('ThreadPoolHttpServer', () => {
  test('start() fails as the store does, and may be tried again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'elkyn-pool-'))
    const path = join(folder, 'data')
    await writeFile(path, '')
    await using server = new ThreadPoolHttpServer({ store: lmdbStorage({ path }), port: 0 })
    await expect(server.start()).rejects.toThrow(path)
    await rm(path)
    await server.start()
    expect(await (await fetch(`${server.address().url}/a.json`)).json()).toBe(null)
    await server.close()
    await rm(folder, { recursive: true })
  })

  test('start() works once, and not after close()', async () => {
    await using running = await Running.start()
    await expect(running.server.start()).rejects.toMatchObject({ code: 'ERR_SERVER_STARTED' })
    await running.server.close()
    await expect(running.server.start()).rejects.toMatchObject({ code: 'ERR_SERVER_CLOSED' })
  })

  test('close() refuses a time that is none, and goes on', async () => {
    await using running = await Running.start()
    await expect(running.server.close({ timeoutMs: Number.NaN })).rejects.toThrow(RangeError)
    expect((await running.ask('GET', '/a.json')).status).toBe(200)
  })

  test.each([
    ['threads', 0],
    ['minThreads', 1.5],
    ['maxThreads', 1000],
    ['maxQueuedBytes', -1],
    ['stallLimitMs', Infinity],
    ['stallLimitMs', 999],
  ])('a %s of %s is refused', (name, value) => {
    const store = lmdbStorage({ path: 'never-opened' })
    expect(() => new ThreadPoolHttpServer({ store, [name]: value })).toThrow(name)
  })

  test('a read sees every write that was answered before, whatever thread answers it', async () => {
    await using running = await Running.start({ threads: 3 })
    const client = async (name: string): Promise<void> => {
      for (let round = 0; round < 50; round++) {
        await running.ask('PUT', `/${name}.json`, String(round))
        expect((await running.ask('GET', `/${name}.json`)).text).toBe(String(round))
      }
    }
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(client))
  })

  test('threads come with the load', async () => {
    await using running = await Running.start({ minThreads: 1, maxThreads: 3 })
    await running.fullStrength(3)
  })

  test('refuses more large answers than its threads can have in hand, and takes as many', async () => {
    const most = { minThreads: 1, maxThreads: 256, maxStreamedAnswers: 156 }
    await using running = await Running.start(most)
    expect((await running.ask('GET', '/a.json')).status).toBe(200)
    await using other = await Running.start({ maxStreamedAnswers: 4000 })
    expect((await other.ask('GET', '/a.json')).status).toBe(200)
    for (const more of [{ ...most, maxStreamedAnswers: 157 }, { maxStreamedAnswers: 4001 }]) {
      expect(() => new Running('', more)).toThrow(RangeError)
    }
  })
})

describe('a thread that dies', () => {
  test('while it reads leaves its reads to another one', async () => {
    await using running = await Running.start({ threads: 2 })
    Atomics.store(running.words, FaultWord.Deaths, 1)
    expect(await running.ask('GET', '/deadly.json')).toMatchObject({ status: 200, text: 'null' })
  })

  test('is replaced, so that as many read at one moment as before', async () => {
    await using running = await Running.start({ threads: 3 })
    await running.fullStrength(3)
    Atomics.store(running.words, FaultWord.Deaths, 1)
    await running.ask('GET', '/deadly.json')
    await running.fullStrength(3)
  })

  test('of a read that is always deadly takes only two with it', async () => {
    await using running = await Running.start({ threads: 2 })
    Atomics.store(running.words, FaultWord.Deaths, 1000)
    expect((await running.ask('GET', '/deadly.json')).status).toBe(500)
    expect(Atomics.load(running.words, FaultWord.Deaths)).toBe(998)
    expect((await running.ask('GET', '/other.json')).status).toBe(200)
    expect(running.logged).toContain('A read could not be answered')
    expect(running.logged).toContain('A thread that reads has died')
  })

  test('while it writes says that nobody knows the outcome, and is replaced', async () => {
    await using running = await Running.start()
    const answer = await running.ask('PUT', '/uncaught.json', '1')
    expect(answer).toMatchObject({ status: 503 })
    expect(answer.text).toContain('outcome of the write is unknown')
    expect((await running.ask('PUT', '/a.json', '1')).status).toBe(200)
    expect((await running.ask('GET', '/a.json')).text).toBe('1')
  })
})

describe('a writer', () => {
  test('survives what a write throws', async () => {
    await using running = await Running.start()
    const [failed, ...others] = await Promise.all([
      running.ask('PUT', '/throw.json', '1'),
      ...Array.from({ length: 20 }, (_, index) => running.ask('PUT', `/a/${index}.json`, '1')),
    ])
    expect(failed).toMatchObject({ status: 500 })
    expect(others.every(({ status }) => status === 200)).toBe(true)
    expect(running.logged).toContain('A request failed')
  })

  test('that makes no progress is taken for dead: its writes are answered, and the owner is told', async () => {
    await using running = await Running.start({ stallLimitMs: 1000 })
    const answer = await running.ask('PUT', '/gate.json', '1')
    expect(answer).toMatchObject({ status: 503 })
    expect(answer.text).toContain('outcome of the write is unknown')
    // What comes later is never begun.
    const refused = await running.ask('PUT', '/a.json', '1')
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(refused.text).toContain('The server is busy')
    expect((await running.fatal).message).toContain('no progress for 1000 ms')
    // Reads go on, for as long as the process does.
    expect((await running.ask('GET', '/a.json')).status).toBe(200)
  })

  test('goes on while more writes than it has hands for would read large values for their answers', async () => {
    // The further ones are refused: each that is read shares the time of this thread with all others.
    await using running = await Running.start({ maxStreamedAnswers: 1 })
    await running.ask('PUT', '/endless.json?print=silent', large)
    const opened = Atomics.load(running.words, FaultWord.Opened)
    running.closeGate()
    const fields = 'Host: x\r\nIf-Match: x\r\nContent-Length: 1'
    const sockets = Array.from({ length: 520 }, () => {
      const socket = connect(running.server.address().port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`PUT /endless.json HTTP/1.1\r\n${fields}\r\n\r\n1`)
      return socket
    })
    await running.until(FaultWord.Opened, opened + 512)
    expect((await running.ask('PUT', '/a.json', '1')).status).toBe(200)
    for (const socket of sockets) socket.destroy()
    // The gate is closed: nothing else ends what is read.
    await running.untilClosed()
    expect((await running.ask('PUT', '/a.json', '2')).status).toBe(200)
    expect(running.logged).toEqual([])
  })

  test('whose store has failed is of no use any more, and the owner is told', async () => {
    await using running = await Running.start()
    const answer = await running.ask('PUT', '/failed.json', '1')
    expect(answer).toMatchObject({ status: 503 })
    expect(await running.fatal).toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect((await running.ask('PUT', '/a.json', '1')).status).toBe(503)
    expect(await running.ask('GET', '/.health')).toMatchObject({
      status: 503,
      text: '{"status":"failed"}',
    })
  })
})

describe('a large answer', () => {
  test('waits for a slow client in a file, not under a snapshot', async () => {
    await using running = await Running.start({ answerPatienceMs: 20 })
    await running.ask('PUT', '/large.json?print=silent', large)
    const socket = await running.beginLarge()
    socket.end()
    // Nothing is read of it meanwhile.
    await running.untilClosed()
    expect(bodyOf(await buffer(socket))).toBe(large)
    expect(await readdir(running.path)).toEqual(['data'])
  })

  test('is read no further when its client has gone', async () => {
    await using running = await Running.start({ answerPatienceMs: 600_000 })
    await running.ask('PUT', '/large.json?print=silent', large)
    const socket = await running.beginLarge()
    socket.destroy()
    await running.untilClosed()
  })

  test('has the ETag that the store gives, and 304 for it', async () => {
    await using running = await Running.start()
    const put = await running.ask('PUT', '/large.json', large, { 'x-firebase-etag': 'true' })
    const etag = String(put.headers['etag'])
    const get = await running.ask('GET', '/large.json', null, { 'x-firebase-etag': 'true' })
    expect(get.headers['etag']).toBe(etag)
    expect(get.text).toBe(large)
    const again = await running.ask('GET', '/large.json', null, { 'if-none-match': etag })
    expect(again).toMatchObject({ status: 304, text: '' })
    const head = await running.ask('HEAD', '/large.json', null, { 'x-firebase-etag': 'true' })
    expect(head).toMatchObject({ status: 200, text: '' })
    expect(head.headers['etag']).toBe(etag)
    await running.untilClosed()
  })

  test('is one too many beyond the limit', async () => {
    await using running = await Running.start({
      threads: 2,
      maxStreamedAnswers: 1,
      answerPatienceMs: 600_000,
    })
    await running.ask('PUT', '/large.json?print=silent', large)
    const socket = await running.beginLarge()
    const refused = await running.ask('GET', '/large.json')
    expect(refused).toMatchObject({ status: 503 })
    expect(refused.headers['retry-after']).toBe('1')
    expect((await running.ask('GET', '/large/0.json')).status).toBe(200)
    // Nobody may take a write for refused that was committed.
    const written = await running.ask('PUT', '/written.json', large)
    expect(written).toMatchObject({ status: 500 })
    expect(written.text).toContain('The data was written, but cannot be shown')
    expect((await running.ask('GET', '/written/0.json')).status).toBe(200)
    // And no refused one for committed, because what is there instead is too large.
    const other = await running.ask('PUT', '/large.json', '1', { 'if-match': 'other' })
    expect(other).toMatchObject({ status: 503 })
    expect(other.headers['retry-after']).toBe('1')
    socket.destroy()
    await running.untilClosed()
    expect((await running.ask('GET', '/large.json')).text).toBe(large)
  })
})

describe('a large body', () => {
  test('is answered before its end when it is no JSON', async () => {
    await using running = await Running.start()
    const socket = connect(running.server.address().port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('PUT /a.json HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n[')
    socket.write('1,'.repeat(100_000).concat('x,').concat('1,'.repeat(10_000)))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /)
    socket.destroy()
    expect((await running.ask('GET', '/a.json')).text).toBe('null')
  })

  test('leaves nothing when its client goes in the middle of it', async () => {
    await using running = await Running.start()
    const socket = connect(running.server.address().port, '127.0.0.1')
    socket.write(`PUT /a.json HTTP/1.1\r\nHost: x\r\nContent-Length: ${large.length}\r\n\r\n`)
    await new Promise((resolve) => socket.write(large.slice(0, 10_000_000), resolve))
    socket.destroy()
    await running.ask('PUT', '/b.json', large)
    expect((await running.ask('GET', '/a.json')).text).toBe('null')
    expect((await running.ask('GET', '/b.json')).text).toBe(large)
  })

  test('is refused while many others arrive, which keep no write from being answered', async () => {
    await using running = await Running.start()
    const sockets: Socket[] = []
    const value = JSON.stringify('x'.repeat(200_000))
    const { promise: enough, resolve } = Promise.withResolvers<void>()
    const refused = new Map<Socket, string>()
    const count = 600
    for (let index = 0; index < count; index++) {
      const socket = running.send()
      socket.write(
        `PUT /${index}.json HTTP/1.1\r\nHost: x\r\nContent-Length: ${value.length}\r\n\r\n`,
      )
      socket.write(value.slice(0, 100_000))
      socket.once('data', (bytes) => {
        refused.set(socket, bytes.toString())
        // So many arrive at one time.
        if (refused.size === count - 256) resolve()
      })
      sockets.push(socket)
    }
    await enough
    expect((await running.ask('PUT', '/a.json', '1')).status).toBe(200)
    for (const answer of refused.values())
      expect(answer).toMatch(/^HTTP\/1.1 503 .*Retry-After: 1\r\n/s)
    const begun = sockets.find((socket) => !refused.has(socket))!
    begun.write(value.slice(100_000))
    expect(await readHead(begun)).toMatch(/^HTTP\/1.1 200 /)
    // Its place is free again.
    expect((await running.ask('PUT', '/b.json', value)).status).toBe(200)
    for (const socket of sockets) socket.destroy()
  })

  test('is refused while too many bytes wait for the writer', async () => {
    await using running = await Running.start({ maxQueuedBytes: 1000 })
    const held = running.ask('PUT', '/gate.json', '1')
    await running.until(FaultWord.AtGate, 1)
    const refused = await running.ask('PUT', '/a.json', `"${'x'.repeat(1000)}"`)
    expect(refused).toMatchObject({ status: 503 })
    expect(refused.headers['retry-after']).toBe('1')
    running.openGate()
    expect((await held).status).toBe(200)
  })

  test('waits for the writer like others, though nobody knows its length', async () => {
    await using running = await Running.start({ maxQueuedBytes: 100_000 })
    const held = running.ask('PUT', '/gate.json', '1')
    await running.until(FaultWord.AtGate, 1)
    const body = JSON.stringify('x'.repeat(80_000))
    const heads = [1, 2].map(async (name) => {
      const socket = running.send()
      socket.write(`PUT /${name}.json?print=silent HTTP/1.1\r\nHost: x\r\n`)
      socket.write(`Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`)
      socket.write(`${body}\r\n0\r\n\r\n`)
      return readHead(socket)
    })
    // There is room for one of them.
    expect(await Promise.race(heads)).toMatch(/^HTTP\/1.1 503 .*Retry-After: 1\r\n/s)
    running.openGate()
    expect((await held).status).toBe(200)
    const statuses = (await Promise.all(heads)).map((head) => head.slice(9, 12))
    expect(statuses.toSorted()).toEqual(['204', '503'])
  })
})

describe('a queue', () => {
  test('that is full of bytes is an answer before the body is read', async () => {
    await using running = await Running.start({ maxQueuedBytes: 1000 })
    const held = running.ask('PUT', '/gate.json', '1'.padStart(800))
    await running.until(FaultWord.AtGate, 1)
    const put = (length: number, ...lines: string[]): string =>
      [`PUT /a.json HTTP/1.1`, 'Host: x', `Content-Length: ${length}`, ...lines, '\r\n'].join(
        '\r\n',
      )
    // One that is small is skipped when it comes, and the connection goes on.
    const small = running.send()
    small.write(put(300))
    expect(await readHead(small)).toMatch(/^HTTP\/1.1 503 .*Retry-After: 1\r\n.*keep-alive/s)
    small.write('2'.padStart(300))
    small.end('GET /b.json HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await text(small)).toMatch(/^HTTP\/1.1 200 /)
    // Of one that is large, or may never come, nothing is waited for.
    for (const request of [put(1_000_000), put(300, 'Expect: 100-continue')]) {
      const socket = running.send()
      socket.write(request)
      expect(await readHead(socket)).toMatch(
        /^HTTP\/1.1 503 .*Retry-After: 1\r\n.*Connection: close/s,
      )
      socket.end()
      await once(socket, 'close')
    }
    running.openGate()
    expect((await held).status).toBe(200)
    expect((await running.ask('GET', '/a.json')).text).toBe('null')
  })

  test('that is full of writes is an answer before the body is read', async () => {
    await using running = await Running.start({ maxQueuedRequests: 1, metrics: true })
    const held = running.ask('PUT', '/gate.json', '1')
    await running.until(FaultWord.AtGate, 1)
    // The writer takes so many in hand.
    const others = Array.from({ length: 512 }, () => running.send('DELETE /a.json'))
    await running.untilInFlight(1 + others.length)
    const socket = running.send()
    socket.write('PUT /a.json HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n')
    expect(await readHead(socket)).toMatch(/^HTTP\/1.1 503 .*Retry-After: 1\r\n/s)
    running.openGate()
    expect((await held).status).toBe(200)
    for (const other of others) expect(await readHead(other)).toMatch(/^HTTP\/1.1 200 /)
    for (const each of [socket, ...others]) each.destroy()
  })

  test('that is full is an answer, not a wait', async () => {
    await using running = await Running.start({
      threads: 1,
      maxQueuedRequests: 1,
      maxStreamedAnswers: 1,
    })
    const held = running.ask('GET', '/gate.json')
    await running.until(FaultWord.AtGate, 1)
    const rest = Array.from({ length: 50 }, () => running.ask('GET', '/a.json'))
    const refused = await Promise.race(rest)
    expect(refused).toMatchObject({ status: 503 })
    expect(refused.headers['retry-after']).toBe('1')
    expect((await running.ask('GET', '/.health')).text).toBe('{"status":"ok"}')
    running.openGate()
    expect((await held).status).toBe(200)
    const statuses = (await Promise.all(rest)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
  })

  test('that is full refuses new streams of queries, and keeps those that are open waiting', async () => {
    await using running = await Running.start({
      threads: 1,
      maxQueuedRequests: 1,
      maxStreamedAnswers: 1,
      metrics: true,
    })
    const query = `${running.server.address().url}/q.json?orderBy="$key"`
    await using stream = await EventClient.open(query)
    expect(await stream.take(1)).toEqual(['put {"path":"/","data":null}'])
    const held = running.ask('GET', '/gate.json')
    await running.until(FaultWord.AtGate, 1)
    const rest = Array.from({ length: 50 }, () => running.ask('GET', '/a.json'))
    await Promise.race(rest)
    const other = await EventClient.open(query)
    expect([other.status, other.message.headers['retry-after']]).toEqual([503, '1'])
    // More often than what fails is tried.
    await running.ask('PUT', '/q/b.json', '1')
    const rejected = 'elkyn_pool_tasks_total{pool="elkyn-reader",outcome="rejected"}'
    let base = 0
    await running.untilMetric(rejected, (count) => (base = count) > 0)
    const more = running.untilMetric(rejected, (count) => count >= base + 6)
    await Promise.race([more, stream.ended()])
    running.openGate()
    expect(await stream.take(1)).toEqual(['put {"path":"/b","data":1}'])
    expect((await held).status).toBe(200)
    expect(running.logged).toEqual([])
    await Promise.all(rest)
  })

  test('tells a new stream of a query that the store has no room for its snapshot', async () => {
    await using running = await Running.start({ threads: 1 })
    const url = `${running.server.address().url}/crowded.json?orderBy="$key"`
    const { status, message } = await EventClient.open(url)
    expect([status, message.headers['retry-after']]).toEqual([503, '1'])
    expect(await text(message)).toContain('Too many snapshots are open')
    expect(running.logged).toEqual([])
  })

  test('keeps nobody longer than they want to wait', async () => {
    await using running = await Running.start({ threads: 1 })
    const held = running.ask('GET', '/gate.json')
    await running.until(FaultWord.AtGate, 1)
    const late = await running.ask('GET', '/a.json?timeout=20ms')
    expect(late.status).toBe(400)
    expect(late.text).toContain('Data requested exceeds the maximum size')
    running.openGate()
    expect((await held).status).toBe(200)
  })

  test('gives up a read whose client has gone', async () => {
    await using running = await Running.start({ threads: 1, metrics: true })
    const held = running.ask('GET', '/gate.json')
    await running.until(FaultWord.AtGate, 1)
    const opened = Atomics.load(running.words, FaultWord.Opened)
    const gone = running.send('GET /a.json')
    await running.untilInFlight(2)
    // One that ends its side may wait for the answer yet.
    gone.resetAndDestroy()
    await running.untilAborted(1)
    running.openGate()
    expect((await held).status).toBe(200)
    expect((await running.ask('GET', '/b.json')).status).toBe(200)
    expect(Atomics.load(running.words, FaultWord.Opened)).toBe(opened + 1)
  })

  test('lets those behind who say that they are less urgent', async () => {
    await using running = await Running.start({ threads: 1, metrics: true })
    const held = running.ask('GET', '/gate.json')
    await running.until(FaultWord.AtGate, 1)
    const order: string[] = []
    const ask = async (name: string, headers: Record<string, string>): Promise<void> => {
      await running.ask('GET', `/${name}.json`, null, headers)
      order.push(name)
    }
    // Each on a connection of its own, and known to wait when the next one is sent.
    const background = ask('background', { priority: 'u=7' })
    await running.untilInFlight(2)
    const usual = ask('usual', {})
    await running.untilInFlight(3)
    running.openGate()
    await Promise.all([held, background, usual])
    expect(order).toEqual(['usual', 'background'])
  })
})

describe('close()', () => {
  test('answers every request that was accepted before', async () => {
    await using running = await Running.start({ metrics: true })
    const held = running.ask('PUT', '/gate.json', '1')
    const reads = Array.from({ length: 20 }, (_, index) => running.ask('GET', `/${index}.json`))
    const writes = Array.from({ length: 20 }, (_, i) => running.ask('PUT', `/a/${i}.json`, '1'))
    await running.until(FaultWord.AtGate, 1)
    await Promise.all(reads)
    await running.untilInFlight(1 + writes.length)
    const closed = running.server.close()
    running.openGate()
    const statuses = (await Promise.all([held, ...writes])).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200]))
    await closed
  })

  test('has one deadline, whatever it waits for', async () => {
    await using running = await Running.start()
    const close = vi.spyOn(ThreadPool.prototype, 'close')
    onTestFinished(() => close.mockRestore())
    const socket = running.send()
    socket.write(
      'PUT /a.json HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    )
    expect(await readHead(socket)).toMatch(/^HTTP\/1.1 100 /)
    // The rest of it never comes.
    const timeoutMs = 20
    await running.server.close({ timeoutMs })
    const left = close.mock.calls.map(([options]) => options?.timeoutMs)
    expect(left).toHaveLength(2)
    for (const each of left) expect(each).toBeLessThan(timeoutMs)
  })
})

/** What arrives first: small answers come in one piece. */
async function readHead(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

/** The body of an answer in chunks. */
function bodyOf(received: Buffer): string {
  const pieces: Buffer[] = []
  let rest = received.subarray(received.indexOf('\r\n\r\n') + 4)
  for (;;) {
    const lineEnd = rest.indexOf('\r\n')
    const length = Number.parseInt(rest.toString('latin1', 0, lineEnd), 16)
    if (length === 0) return Buffer.concat(pieces).toString()
    pieces.push(rest.subarray(lineEnd + 2, lineEnd + 2 + length))
    rest = rest.subarray(lineEnd + 4 + length)
  }
}
