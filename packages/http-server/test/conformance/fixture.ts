import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { IndexDefinitions } from '@elkyn/tree'
import { Pool } from 'undici'
import type { HttpLimits, NamespacesOptions } from '../../src/index.ts'

/** A running server with an empty tree, however it was made. */
export interface ServerUnderTest extends AsyncDisposable {
  readonly port: number
  /** How requests are sent to it that are not written byte by byte. Default: HTTP/1.1 without TLS. */
  readonly tls?: { readonly cert: string; readonly isHttp2: boolean }
  close(options?: { readonly timeoutMs?: number }): Promise<void>
}

export interface ServerOptions extends HttpLimits {
  readonly namespace?: string
  readonly namespaces?: NamespacesOptions
  readonly compressFromBytes?: number
  /** Of the store. */
  readonly indexes?: IndexDefinitions
}

export type StartServer = (options: ServerOptions) => Promise<ServerUnderTest>

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export interface Asked {
  /** Bytes are sent in chunks, text with its length. */
  readonly body?: string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
}

/** A server to ask over real sockets; ends with it. */
export class Fixture implements AsyncDisposable {
  readonly server: ServerUnderTest
  readonly port: number
  readonly #pool: Pool
  /** For what HTTP/2 cannot say. */
  readonly #http1: Pool
  /** What lies beneath connections with TLS. */
  readonly #raw = new WeakMap<Socket, Socket>()

  static async open(start: StartServer, options: ServerOptions = {}): Promise<Fixture> {
    return new Fixture(await start(options))
  }

  constructor(server: ServerUnderTest) {
    this.server = server
    this.port = server.port
    const { port, tls } = server
    const connections = 8
    const origin = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
    const trusted = tls === undefined ? {} : { connect: { ca: tls.cert } }
    this.#http1 = new Pool(origin, { connections, ...trusted, allowH2: false })
    this.#pool = tls?.isHttp2
      ? new Pool(origin, { connections, ...trusted, allowH2: true })
      : this.#http1
  }

  async ask(method: string, path: string, { body, headers }: Asked = {}): Promise<Answer> {
    const pool = path.length > maxHttp2PathBytes ? this.#http1 : this.#pool
    const response = await pool.request({
      method,
      path,
      body: body === undefined || typeof body === 'string' ? (body ?? null) : Readable.from(body),
      headers: { ...headers },
    })
    return {
      status: response.statusCode,
      headers: response.headers,
      text: await response.body.text(),
    }
  }

  /** The body as it was sent, compressed or not. */
  async bytes(
    path: string,
    headers: Asked['headers'] = {},
  ): Promise<Omit<Answer, 'text'> & { readonly body: Buffer }> {
    const response = await this.#pool.request({ method: 'GET', path, headers: { ...headers } })
    const body = Buffer.from(await response.body.arrayBuffer())
    return { status: response.statusCode, headers: response.headers, body }
  }

  get(path: string, headers: Asked['headers'] = {}): Promise<Answer> {
    return this.ask('GET', path, { headers })
  }

  put(path: string, json: unknown, headers: Asked['headers'] = {}): Promise<Answer> {
    return this.ask('PUT', path, { body: JSON.stringify(json), headers })
  }

  patch(path: string, json: unknown, headers: Asked['headers'] = {}): Promise<Answer> {
    return this.ask('PATCH', path, { body: JSON.stringify(json), headers })
  }

  /** The JSON text at a path. */
  async read(path: string): Promise<string> {
    return (await this.get(path)).text
  }

  /** A connection on which the bytes of HTTP/1.1 are written, beneath TLS where the server has it. */
  connect(): Socket {
    const { port } = this
    const { tls } = this.server
    if (tls === undefined) return connect(port, '127.0.0.1').on('error', ignore)
    const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', ignore)
    const socket = connectTls({ socket: raw, ca: tls.cert, host: '127.0.0.1' })
    this.#raw.set(socket, raw)
    return socket.on('error', ignore)
  }

  /** Breaks a connection off. */
  reset(socket: Socket): void {
    const raw = this.#raw.get(socket) ?? socket
    raw.resetAndDestroy()
  }

  /** The same, when the server has taken it. */
  async connected(): Promise<Socket> {
    const socket = this.connect()
    await once(socket, this.server.tls === undefined ? 'connect' : 'secureConnect')
    return socket
  }

  /** Sends bytes as they are, and gives what came back when the server has closed. */
  async raw(bytes: string | Uint8Array): Promise<string> {
    const socket = this.connect()
    socket.write(bytes)
    const received: string[] = []
    let last = ''
    for await (const chunk of socket) {
      received.push(String(chunk))
      last += String(chunk)
      // Looked at alone, however many came before it.
      last = last.slice(Math.max(last.lastIndexOf('HTTP/1.1 '), 0))
      if (isLastAnswer(last)) socket.end()
    }
    return received.join('')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy()
    await this.#http1.destroy()
    await this.server.close({ timeoutMs: 0 })
    await this.server[Symbol.asyncDispose]()
  }
}

// Who reads from a connection is told of its errors all the same. Behind the end nobody reads, and the farewell of TLS may
// not reach a server that has closed.
function ignore(): void {}

// A header field of HTTP/2 has at most 64 KiB in Node.
const maxHttp2PathBytes = 60_000

/** The bytes of an error body. */
export function errorText(message: string): string {
  return `{\n  "error" : ${JSON.stringify(message)}\n}\n`
}

/** A path of so many keys. */
export function deepPath(levels: number): string {
  return '/k'.repeat(levels)
}

/** A value with so many levels of keys above its leaf. */
export function deepValue(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = { k: value }
  return value
}

// As a client does that was told that the connection ends.
function isLastAnswer(answer: string): boolean {
  const headEnd = answer.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  const head = answer.slice(0, headEnd + 2)
  const [, length] = /Content-Length: (\d+)\r\n(?:.+\r\n)*?Connection: close\r\n/.exec(head) ?? []
  return length !== undefined && answer.length - headEnd - 4 === Number(length)
}
