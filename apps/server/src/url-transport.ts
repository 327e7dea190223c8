import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type * as Http from 'node:http'
import type * as Https from 'node:https'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { CommandError, systemErrorCode } from './command-error.ts'
import type { JsonBody, RestRequest, RestResponse, Transport } from './transport.ts'
import { WatchedBody } from './watched-body.ts'

/**
 * Sends requests to a server: this one, or any that speaks the Firebase REST surface. Not through
 * `fetch`, which refuses some ports, ends a request that takes five minutes, and hides why a body
 * failed.
 */
export class UrlTransport implements Transport {
  readonly label: string
  readonly takesAnySize = false
  readonly hasAllDatabases = false
  readonly #base: URL
  readonly #signal: AbortSignal | undefined

  /**
   * @param base where the root of the tree is; its query (`?ns=name`) goes with every request
   * @param signal ends the requests under way, and those that come
   * @throws {CommandError} `usage`
   */
  constructor(base: string, signal?: AbortSignal) {
    this.#signal = signal
    const url = URL.parse(base)
    if (url === null || !/^https?:$/.test(url.protocol)) {
      const reason = /^https?:\/\//i.test(base)
        ? 'it names no host, or no port from 0 to 65535'
        : 'it has to begin with http:// or https://'
      throw new CommandError('usage', `Invalid URL "${base}": ${reason}`)
    }
    url.hash = ''
    this.#base = url
    this.label = withoutSecrets(url).href.replace(/\/$/, '')
  }

  async send({ method, pathname, query, body }: RestRequest): Promise<RestResponse> {
    const { request: begin } = nodeModule(this.#base)
    // A connection of its own: one that was idle may be closed by the other side at any moment.
    const request = begin(this.#url(pathname, query), {
      method,
      agent: false,
      signal: this.#signal,
    })
    // Without a listener an error behind the head of the answer would end the process. Whoever reads
    // the answer gets it.
    request.on('error', () => {})
    const source = body === undefined ? undefined : new WatchedBody(body)
    try {
      const answered = once(request, 'response') as Promise<[IncomingMessage]>
      sendBody(request, source?.body)
      const [response] = await answered
      return { status: response.statusCode ?? 0, body: this.#take(response, request) }
    } catch (error) {
      // What stopped the input says more than the connection that broke off because of it.
      throw source?.failure ?? this.#unreachable(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Connections end with their requests.
  }

  #url(pathname: string, query: RestRequest['query']): URL {
    const url = new URL(this.#base)
    url.pathname = url.pathname.replace(/\/+$/, '') + pathname
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url
  }

  async *#take(response: IncomingMessage, request: ClientRequest): AsyncGenerator<Uint8Array> {
    try {
      yield* response
    } catch (cause) {
      throw new CommandError('failed', `${this.label} broke off in the middle of its answer`, {
        cause,
        status: response.statusCode,
        hint: 'If the server still runs, its log says why.',
      })
    } finally {
      // Whoever answers before it has the whole body does not want the rest.
      if (!request.writableFinished) request.destroy()
    }
  }

  #unreachable(cause: unknown): CommandError {
    const code = systemErrorCode(cause)
    const reason = code ?? (cause instanceof Error ? cause.message : String(cause))
    return new CommandError('unavailable', `Cannot reach ${this.label}: ${reason}`, {
      cause,
      hint: hintFor(cause instanceof Error && 'code' in cause ? cause.code : code),
    })
  }
}

/** The same URL as it may be shown: what is on a terminal gets into logs and questions. */
function withoutSecrets(url: URL): URL {
  const shown = new URL(url)
  shown.password = ''
  for (const name of ['auth', 'access_token']) {
    if (shown.searchParams.has(name)) shown.searchParams.set(name, '...')
  }
  return shown
}

/** What to do when a server could not be reached, by the code of the error. */
function hintFor(code: unknown): string | undefined {
  if (code === 'ECONNREFUSED') {
    return 'Start a server with "elkyn serve", or name another one with --url, or a folder with --data.'
  }
  if (code === 'EPROTO') return 'If it does not speak TLS, its URL begins with http://.'
  // OpenSSL has a code for each way in which a certificate comes from nobody that is known.
  if (/SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/.test(String(code))) {
    return 'If the certificate is the right one, name the file with its issuer: NODE_EXTRA_CA_CERTS=FILE elkyn ...'
  }
  return undefined
}

// Not imported: that reads every export of the module, and for one of them Node loads its `fetch`, which takes up to 40 ms.
function nodeModule({ protocol }: URL): typeof Http | typeof Https {
  return process.getBuiltinModule(protocol === 'https:' ? 'node:https' : 'node:http')
}

function sendBody(request: ClientRequest, body: JsonBody | undefined): void {
  if (body === undefined || body instanceof Uint8Array) {
    request.end(body)
    return
  }
  // Whether it worked is seen by the answer, or by its absence.
  pipeline(body, request).catch(() => {})
}
