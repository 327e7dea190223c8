import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { IndexDefinitions } from '@elkyn/tree'
import { Pool } from 'undici'
import type { HttpLimits } from '../../src/index.ts'

/** A running server with an empty tree, however it was made. */
export interface ServerUnderTest extends AsyncDisposable {
  readonly port: number
  close(options?: { readonly timeoutMs?: number }): Promise<void>
}

export interface ServerOptions extends HttpLimits {
  readonly namespace?: string
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

  static async open(start: StartServer, options: ServerOptions = {}): Promise<Fixture> {
    return new Fixture(await start(options))
  }

  constructor(server: ServerUnderTest) {
    this.server = server
    this.port = server.port
    this.#pool = new Pool(`http://127.0.0.1:${server.port}`, { connections: 8 })
  }

  async ask(method: string, path: string, { body, headers }: Asked = {}): Promise<Answer> {
    const response = await this.#pool.request({
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

  connect(): Socket {
    return connect(this.port, '127.0.0.1')
  }

  /** Sends bytes as they are, and gives what came back when the server has closed. */
  async raw(bytes: string | Uint8Array): Promise<string> {
    const socket = this.connect()
    socket.write(bytes)
    let received = ''
    for await (const chunk of socket) {
      received += String(chunk)
      if (isLastAnswer(received)) socket.end()
    }
    return received
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy()
    await this.server.close({ timeoutMs: 0 })
    await this.server[Symbol.asyncDispose]()
  }
}

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
function isLastAnswer(received: string): boolean {
  const [, length] =
    /Content-Length: (\d+)\r\n(?:.+\r\n)*?Connection: close\r\n/.exec(received) ?? []
  return length !== undefined && received.split('\r\n\r\n').at(-1)?.length === Number(length)
}
