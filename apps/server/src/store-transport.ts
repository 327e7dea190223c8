import { createRequestHandler } from '@elkyn/http-server'
import type { RequestHandler } from '@elkyn/http-server'
import type { Tree } from '@elkyn/storage-lmdb'
import type { RestRequest, RestResponse, Transport } from './transport.ts'
import { WatchedBody } from './watched-body.ts'

/**
 * Answers requests from a store in this process, with the request handler of the server but no
 * socket: a command does the same in a folder as through a server, down to the error messages.
 */
export class StoreTransport implements Transport {
  readonly label: string
  readonly takesAnySize = true
  readonly hasAllDatabases: boolean
  readonly #handle: RequestHandler
  readonly #close: () => Promise<void>
  /** What a server would log of the request under way. */
  #failure: unknown

  /** @param tree is closed when no more requests come. */
  constructor(label: string, tree: Pick<Tree, 'store' | 'databases' | 'close'>) {
    this.label = label
    this.hasAllDatabases = tree.databases === 'several'
    this.#handle = createRequestHandler({
      store: tree.store,
      maxBodyBytes: Number.MAX_SAFE_INTEGER,
      maxHeldValues: Number.MAX_SAFE_INTEGER,
      log: { error: this.#noteFailure, warn: () => {} },
      allDatabases: this.hasAllDatabases,
      // What an import has stored has to be found again.
      backslashesInUrls: true,
    })
    this.#close = () => tree.close()
  }

  async send({ method, pathname, query, body }: RestRequest): Promise<RestResponse> {
    const source = body === undefined ? undefined : new WatchedBody(body)
    this.#failure = undefined
    const response = await this.#handle({
      method,
      url: `${pathname}?${new URLSearchParams(query).toString()}`,
      headers: {},
      body: source?.body,
      signal: new AbortController().signal,
    })
    if (source?.failure !== undefined) throw source.failure
    return { status: response.status, body: blocksOf(response.body), failure: this.#failure }
  }

  readonly #noteFailure = ({ err }: { readonly err?: unknown }): void => {
    this.#failure = err
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}

async function* blocksOf(body: Uint8Array | Iterable<Uint8Array> = []): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else yield* body
}
