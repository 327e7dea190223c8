import dns from 'node:dns'
import { once } from 'node:events'
import { connect, Server as NetServer } from 'node:net'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { fromJson, parsePath, TreeError } from '@elkyn/tree'
import { describe, expect, test, vi } from 'vitest'
import { ObservedStore } from '../test/observed-store.ts'
import { SimpleHttpServer } from './index.ts'
import type { SimpleHttpServerOptions } from './index.ts'

const large = Array.from({ length: 200 }, () => 'x'.repeat(100_000))

type GiveAddress = (error: null, address: string, family: number) => void

class Running implements AsyncDisposable {
  readonly store = new ObservedStore()
  readonly logged: unknown[] = []
  readonly server: SimpleHttpServer

  static async start(options: Partial<SimpleHttpServerOptions> = {}): Promise<Running> {
    const running = new Running(options)
    await running.server.start()
    return running
  }

  constructor(options: Partial<SimpleHttpServerOptions>) {
    const write = (fields: object, message: string): void => {
      this.logged.push({ message, ...fields })
    }
    this.server = new SimpleHttpServer({
      store: this.store,
      port: 0,
      log: { error: write, warn: write },
      ...options,
    })
  }

  get url(): string {
    return this.server.address().url
  }

  get isListening(): boolean {
    try {
      return this.url !== ''
    } catch {
      return false
    }
  }

  /** Sends the heads of requests, without bodies. */
  send(...lines: string[]): Socket {
    const socket = connect(this.server.address().port, '127.0.0.1')
    socket.on('error', () => {})
    for (const line of lines) socket.write(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`)
    return socket
  }

  /** Puts a value of many blocks at `/a`. */
  fill(): void {
    this.store.commit([{ pairs: [{ path: parsePath('/a'), value: fromJson(large) }] }])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ timeoutMs: 0 })
    await this.store.close()
  }
}

describe('SimpleHttpServer', () => {
  test('start() listens where it was told, and address() says where', async () => {
    await using running = await Running.start({ host: '127.0.0.1' })
    const { host, port, url } = running.server.address()
    expect(host).toBe('127.0.0.1')
    expect(url).toBe(`http://127.0.0.1:${port}`)
    expect(await (await fetch(`${url}/a.json`)).json()).toBe(null)
  })

  test('takes no more large bodies at one time than there are places', async () => {
    await using running = await Running.start()
    const { store, url } = running
    const sockets = Array.from({ length: 256 }, () => {
      const socket = connect(running.server.address().port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('PUT /a.json HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"')
      return socket
    })
    await vi.waitFor(() => expect(store.openStagers).toBe(256), 60_000)
    const put = (bytes: number) =>
      fetch(`${url}/b.json?print=silent`, { method: 'PUT', body: `"${'x'.repeat(bytes)}"` })
    const refused = await put(100_000)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await put(1000)).status).toBe(204)
    const aborted = store.stagerAborted()
    sockets[0]!.destroy()
    await aborted
    expect((await put(100_000)).status).toBe(204)
    for (const socket of sockets) socket.destroy()
  })

  test('start() fails where the address is taken, and may be tried again', async () => {
    await using first = await Running.start()
    const { port } = first.server.address()
    await using second = new Running({ port })
    await expect(second.server.start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await first.server.close()
    await second.server.start()
    expect(second.server.address().port).toBe(port)
  })

  test('start() works once, and not after close()', async () => {
    await using running = await Running.start()
    await expect(running.server.start()).rejects.toMatchObject({ code: 'ERR_SERVER_STARTED' })
    await running.server.close()
    await expect(running.server.start()).rejects.toMatchObject({ code: 'ERR_SERVER_CLOSED' })
    expect(() => running.server.address()).toThrow(
      expect.objectContaining({ code: 'ERR_SERVER_NOT_LISTENING' }),
    )
  })

  test('close() waits for a start() that is still looking for its address', async () => {
    const asked = Promise.withResolvers<() => void>()
    const lookUp = (...parameters: unknown[]): void => {
      const give = parameters.at(-1) as GiveAddress
      asked.resolve(() => give(null, '127.0.0.1', 4))
    }
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation(lookUp)
    await using running = new Running({ host: 'name.example' })
    const started = running.server.start()
    const answer = await asked.promise
    lookup.mockRestore()
    const closed = running.server.close()
    // Longer than it takes `close()` to look for what clients have sent.
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    answer()
    await Promise.all([started, closed])
    expect(running.isListening).toBe(false)
  })

  test('refuses limits that are none', () => {
    for (const limits of [
      { maxUrlBytes: 0 },
      { writeTimeoutMs: 2 ** 31 },
      { maxConnections: 1.5 },
      { maxConcurrentStreams: 2 ** 32 },
      { maxHeaderBytes: 2 ** 32 - 64 * 1024 },
    ]) {
      expect(() => new Running(limits)).toThrow(RangeError)
    }
  })

  test('close() leaves the store open, unless it is told to close it', async () => {
    for (const closeStore of [false, true]) {
      await using running = await Running.start({ closeStore })
      await running.server.close()
      expect(running.store.isClosed).toBe(closeStore)
    }
  })

  test('close() waits for a write that is under way, and answers it', async () => {
    await using running = await Running.start()
    const release = running.store.holdWrites()
    const socket = running.send('DELETE /a')
    await running.store.writeBegun()
    const closed = running.server.close()
    release()
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n.*Connection: close\r\n/s)
    await closed
  })

  test('close() breaks a write off at the deadline', async () => {
    await using running = await Running.start()
    const release = running.store.holdWrites()
    const socket = running.send('DELETE /a')
    await running.store.writeBegun()
    await running.server.close({ timeoutMs: 1 })
    expect(await text(socket)).toBe('')
    release()
  })

  test.each([Infinity, 2 ** 31])(
    'close() waits for %d ms, which no timer can',
    async (timeoutMs) => {
      await using running = await Running.start()
      const release = running.store.holdWrites()
      const socket = running.send('DELETE /a')
      await running.store.writeBegun()
      // These make a millisecond of what is too long, as those of Node do.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const closed = running.server.close({ timeoutMs })
      try {
        while (running.isListening) await setImmediate()
        vi.advanceTimersByTime(24 * 60 * 60 * 1000)
      } finally {
        vi.useRealTimers()
      }
      release()
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
      await closed
    },
  )

  test.each([Number.NaN, -1])(
    'close() refuses to wait for %d ms, and goes on',
    async (timeoutMs) => {
      await using running = await Running.start()
      await expect(running.server.close({ timeoutMs })).rejects.toThrow(RangeError)
      expect((await fetch(`${running.url}/.health`)).status).toBe(200)
    },
  )

  test('answers a client that has closed its side meanwhile', async () => {
    await using running = await Running.start()
    const release = running.store.holdWrites()
    const socket = running.send('DELETE /a', 'GET /.health')
    const began = running.store.writeBegun()
    socket.end()
    await began
    // By the time of this answer the server has heard of it.
    await (await fetch(`${running.url}/.health`)).text()
    release()
    expect((await text(socket)).match(/200 OK/g)).toHaveLength(2)
  })

  test('/.health says that the server stops', async () => {
    await using running = await Running.start()
    const release = running.store.holdWrites()
    const socket = running.send('DELETE /a', 'GET /.health')
    await running.store.writeBegun()
    const closed = running.server.close()
    release()
    expect(await text(socket)).toMatch(/HTTP\/1.1 503 .*\{"status":"stopping"\}$/s)
    await closed
  })

  test('holds a request back behind an unanswered write of its connection only', async () => {
    await using running = await Running.start()
    const release = running.store.holdWrites()
    const socket = running.send('DELETE /a', 'GET /.health')
    await running.store.writeBegun()
    expect((await fetch(`${running.url}/.health`)).status).toBe(200)
    expect(socket.bytesRead).toBe(0)
    release()
    socket.end()
    expect((await text(socket)).match(/200 OK/g)).toHaveLength(2)
  })

  test('takes no more from a connection that has many requests waiting', async () => {
    await using running = await Running.start()
    const release = running.store.holdWrites()
    const socket = running.send('DELETE /a')
    await running.store.writeBegun()
    const padding = 'x'.repeat(8000)
    const count = 2000
    // More bytes than the operating system holds for the two ends.
    socket.write(`GET /a.json HTTP/1.1\r\nHost: x\r\nX: ${padding}\r\n\r\n`.repeat(count))
    for (let asked = 0; asked < 100; asked++) await (await fetch(`${running.url}/.health`)).text()
    expect(socket.writableLength).toBeGreaterThan(0)
    release()
    socket.end('GET /last HTTP/1.1\r\nHost: x\r\n\r\n')
    const answers = await text(socket)
    expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(count + 1)
    expect(answers).toContain('Nothing at /last')
  })

  test('begins a request when the answer in blocks before it has left', async () => {
    await using running = await Running.start()
    running.fill()
    const opened = running.store.snapshotOpened()
    const socket = running.send(...Array.from({ length: 5 }, () => 'GET /a.json'), 'DELETE /a')
    await opened
    for (let asked = 0; asked < 5; asked++) await (await fetch(`${running.url}/.health`)).text()
    expect(running.store.openSnapshots).toBe(1)
    socket.end('GET /a.json HTTP/1.1\r\nHost: x\r\n\r\n')
    const answers = await text(socket)
    expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(7)
    expect(answers).toMatch(/\r\nnull$/)
    expect(running.store.openSnapshots).toBe(0)
  })

  test('closes the snapshot of a client that goes away during the answer', async () => {
    await using running = await Running.start()
    running.fill()
    const socket = running.send('GET /a.json')
    await once(socket, 'data')
    expect(running.store.openSnapshots).toBe(1)
    const closed = running.store.snapshotsClosed()
    socket.resetAndDestroy()
    await closed
  })

  test('throws away the first part of a body when the rest will never come', async () => {
    await using running = await Running.start()
    const aborted = running.store.stagerAborted()
    const socket = connect(running.server.address().port, '127.0.0.1')
    socket.write('PUT /a.json HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n')
    // Its side of the connection ends in the middle, without a reset.
    socket.end(JSON.stringify('x'.repeat(500_000)).slice(0, -1))
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /)
    await aborted
    expect(running.store.openStagers).toBe(0)
  })

  test('tells its owner of a disk that fails under a small body, and under a large one', async () => {
    const failures: Error[] = []
    await using running = await Running.start({ onFatal: (error) => failures.push(error) })
    const failure = new TreeError('ERR_STORE_FAILED', 'The disk has failed')
    running.store.failure = failure
    const put = (value: unknown): Promise<Response> =>
      fetch(`${running.url}/a.json`, { method: 'PUT', body: JSON.stringify(value) })
    expect((await put(1)).status).toBe(503)
    expect(failures).toEqual([failure])
    const health = await fetch(`${running.url}/.health`)
    expect([health.status, await health.json()]).toEqual([503, { status: 'failed' }])
    running.store.failure = undefined
    running.store.stageFailure = failure
    expect((await put('x'.repeat(100_000))).status).toBe(503)
    expect(failures).toEqual([failure, failure])
  })

  test('tells load balancers of a disk that fails, also where its owner is not told', async () => {
    await using running = await Running.start()
    running.store.failure = new TreeError('ERR_STORE_FAILED', 'The disk has failed')
    const put = await fetch(`${running.url}/a.json`, { method: 'PUT', body: '1' })
    expect(put.status).toBe(503)
    const health = await fetch(`${running.url}/.health`)
    expect([health.status, await health.json()]).toEqual([503, { status: 'failed' }])
  })

  test('closes the snapshot of a client that never reads, after writeTimeoutMs', async () => {
    await using running = await Running.start({ writeTimeoutMs: 50 })
    running.fill()
    const socket = running.send('GET /a.json', 'GET /a.json')
    await running.store.snapshotOpened()
    await running.store.snapshotsClosed()
    socket.destroy()
  })

  test('outlives a client that asks for a tunnel and resets the connection', async () => {
    await using running = await Running.start()
    const answered = running.send('CONNECT x:1')
    await once(answered, 'data')
    answered.resetAndDestroy()
    // The answer to this one waits for another.
    const release = running.store.holdWrites()
    const began = running.store.writeBegun()
    const waiting = running.send('DELETE /a', 'CONNECT x:1')
    await began
    waiting.resetAndDestroy()
    // Ends when the server has noticed.
    await running.server.close()
    release()
  })

  test('counts the large values of streams among maxStreamedAnswers', async () => {
    await using running = await Running.start({ maxStreamedAnswers: 1 })
    running.fill()
    const socket = running.send()
    socket.write('GET /a.json HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n')
    for (let received = 0; received < 100_000;) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      received += chunk.length
    }
    socket.pause()
    expect((await fetch(`${running.url}/a.json`)).status).toBe(503)
    socket.destroy()
  })

  test('breaks an answer off when reading fails, so that it does not look whole', async () => {
    await using running = await Running.start()
    running.fill()
    running.store.readFailure = new Error('disk')
    const socket = running.send('GET /a.json')
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(answer.endsWith('0\r\n\r\n')).toBe(false)
    expect(running.store.openSnapshots).toBe(0)
    expect(running.logged).toEqual([
      { message: 'An answer broke off', err: running.store.readFailure },
    ])
  })

  test('logs that it refuses connections', async () => {
    await using running = await Running.start({ maxConnections: 1 })
    const first = running.send()
    await once(first, 'connect')
    expect(await text(running.send())).toMatch(/^HTTP\/1.1 503 /)
    expect(running.logged).toEqual([
      { message: 'A connection was refused, because there are too many', maxConnections: 1 },
    ])
    first.destroy()
  })

  test('a connection that cannot be accepted is the fault of the system, and the server goes on', async () => {
    const listen = vi.spyOn(NetServer.prototype, 'listen')
    try {
      await using running = await Running.start()
      const server = listen.mock.contexts[0] as NetServer
      const error = new Error('accept ENFILE')
      // As Node does where the system gives it none.
      server.emit('error', error)
      expect(running.logged).toEqual([
        { message: 'A connection could not be accepted', err: error },
      ])
      const response = await fetch(`${running.url}/.json`)
      expect(await response.text()).toBe('null')
    } finally {
      listen.mockRestore()
    }
  })
})
