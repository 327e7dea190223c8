import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { ThreadPoolHttpServer } from '../../src/index.ts'
import type { ThreadPoolHttpServerOptions } from '../../src/index.ts'
import { FaultWord, faultWordsBytes, faultyStorage } from './faulty-store.ts'

/** A server with threads, over a store that fails as it is asked to. */
export class Running implements AsyncDisposable {
  readonly server: ThreadPoolHttpServer
  readonly path: string
  readonly words: Int32Array
  readonly logged: string[] = []
  readonly fatal: Promise<Error>
  readonly #agent = new Agent({ connections: 256 })

  static async start(options: Partial<ThreadPoolHttpServerOptions> = {}): Promise<Running> {
    const running = new Running(await mkdtemp(join(tmpdir(), 'elkyn-pool-')), options)
    await running.server.start()
    return running
  }

  constructor(path: string, options: Partial<ThreadPoolHttpServerOptions>) {
    this.path = path
    const words = new SharedArrayBuffer(faultWordsBytes)
    this.words = new Int32Array(words)
    const { promise, resolve } = Promise.withResolvers<Error>()
    this.fatal = promise
    const write = (_fields: object, message: string): void => {
      this.logged.push(message)
    }
    this.server = new ThreadPoolHttpServer({
      store: faultyStorage(join(path, 'data'), words),
      port: 0,
      // Each costs as much as many requests: who needs more of them says so.
      threads: 1,
      spoolFolder: path,
      log: { error: write, warn: write },
      onFatal: resolve,
      ...options,
    })
  }

  async ask(
    method: 'DELETE' | 'GET' | 'HEAD' | 'PUT',
    path: string,
    body: string | null = null,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
    const response = await request(`${this.server.address().url}${path}`, {
      method,
      body,
      headers,
      dispatcher: this.#agent,
    })
    return {
      status: response.statusCode,
      text: await response.body.text(),
      headers: response.headers,
    }
  }

  /** Sends the head of a request and reads nothing of the answer. */
  send(...lines: string[]): Socket {
    const socket = connect(this.server.address().port, '127.0.0.1')
    socket.on('error', () => {})
    for (const line of lines) socket.write(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`)
    return socket
  }

  /** Resolves when a word that threads share has grown to the value. */
  async until(word: number, value: number): Promise<void> {
    for (;;) {
      const seen = Atomics.load(this.words, word)
      if (seen >= value) return
      const wait = Atomics.waitAsync(this.words, word, seen)
      if (wait.async) await wait.value
    }
  }

  /** Sends a read of a large value, and resolves when its second snapshot is open: the first is to look. */
  async beginLarge(): Promise<Socket> {
    const opened = Atomics.load(this.words, FaultWord.Opened)
    const socket = this.send('GET /large.json')
    await this.until(FaultWord.Opened, opened + 2)
    return socket
  }

  /** Resolves when all snapshots are closed that have been opened so far. */
  async untilClosed(): Promise<void> {
    await this.until(FaultWord.Closed, Atomics.load(this.words, FaultWord.Opened))
  }

  /** Resolves when a metric is as it has to be. For servers that show them. */
  async untilMetric(name: string, isReached: (value: number) => boolean): Promise<void> {
    for (;;) {
      const { text } = await this.ask('GET', '/.metrics')
      const line = text.split('\n').find((each) => each.startsWith(`${name} `))
      if (isReached(Number(line?.slice(name.length + 1)))) return
    }
  }

  /** Resolves when so many requests have arrived and are not answered. */
  async untilInFlight(count: number): Promise<void> {
    // One of them is this one.
    await this.untilMetric('elkyn_http_requests_in_flight', (inFlight) => inFlight > count)
  }

  /** Resolves when the clients of so many requests have gone. */
  async untilAborted(count: number): Promise<void> {
    await this.untilMetric('elkyn_http_requests_aborted_total', (aborted) => aborted === count)
  }

  /** Resolves when threads have taken so many reads that are not answered. */
  async untilTaken(count: number): Promise<void> {
    await this.untilInFlight(count)
    await this.untilMetric('elkyn_pool_queue_depth{pool="elkyn-reader"}', (depth) => depth === 0)
  }

  /** Resolves when so many threads read at one moment, the gate having been closed before. Opens it. */
  async fullStrength(threads: number): Promise<void> {
    this.closeGate()
    const atGate = Atomics.load(this.words, FaultWord.AtGate)
    const held = Array.from({ length: threads }, () => this.ask('GET', '/gate.json'))
    await this.until(FaultWord.AtGate, atGate + threads)
    this.openGate()
    await Promise.all(held)
  }

  closeGate(): void {
    Atomics.store(this.words, FaultWord.Gate, 0)
  }

  openGate(): void {
    Atomics.store(this.words, FaultWord.Gate, 1)
    Atomics.notify(this.words, FaultWord.Gate)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.openGate()
    await this.#agent.destroy()
    await this.server.close({ timeoutMs: 1000 })
    await rm(this.path, { recursive: true })
  }
}
