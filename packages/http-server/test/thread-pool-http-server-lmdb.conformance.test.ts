import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { afterAll } from 'vitest'
import { ThreadPoolHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'
import type { ServerOptions, ServerUnderTest } from './conformance/fixture.ts'

// To start threads takes longer than most tests, so those that ask for the same databases and indexes, for no limits, and
// close nothing use one server after the other, emptied in between.
const spares = new Map<string, PoolUnderTest>()

/** What servers that may follow each other have in common. */
function sharedKey({ namespaces, indexes, ...others }: ServerOptions): string | undefined {
  if (Object.keys(others).length > 0 || namespaces?.createOnUse === true) return undefined
  return JSON.stringify({ namespaces, indexes })
}

class PoolUnderTest implements ServerUnderTest {
  readonly #server: ThreadPoolHttpServer
  readonly #path: string
  readonly #namespaces: readonly string[] | undefined
  readonly #key: string | undefined
  #isClosed = false

  static async start(options: ServerOptions): Promise<PoolUnderTest> {
    const path = await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
    const { indexes = {}, ...serverOptions } = options
    const key = sharedKey(options)
    const server = new ThreadPoolHttpServer({
      ...serverOptions,
      store: lmdbStorage({
        path,
        indexes,
        databases: options.namespaces === undefined ? 'one' : 'several',
      }),
      port: 0,
      // Each costs as much as many requests.
      threads: key === undefined ? 1 : 2,
    })
    await server.start()
    return new PoolUnderTest(server, path, { key, namespaces: options.namespaces?.names })
  }

  constructor(
    server: ThreadPoolHttpServer,
    path: string,
    { key, namespaces }: { key: string | undefined; namespaces: readonly string[] | undefined },
  ) {
    this.#server = server
    this.#path = path
    this.#key = key
    this.#namespaces = namespaces
  }

  get port(): number {
    return this.#server.address().port
  }

  // What the fixture closes at its end is only put back.
  async close(options?: { readonly timeoutMs?: number }): Promise<void> {
    if (this.#key !== undefined && options?.timeoutMs === 0) return
    this.#isClosed = true
    await this.#server.close(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#key === undefined || this.#isClosed || spares.has(this.#key)) return this.end()
    await this.#empty()
    spares.set(this.#key, this)
  }

  async end(): Promise<void> {
    await this.#server.close({ timeoutMs: 0 })
    await rm(this.#path, { recursive: true })
  }

  async #empty(): Promise<void> {
    for (const query of this.#namespaces?.map((name) => `?ns=${name}`) ?? ['']) {
      const url = `http://127.0.0.1:${this.port}/.json${query}`
      const { ok } = await fetch(url, { method: 'DELETE' })
      if (!ok) throw new Error(`Cannot empty ${url}`)
    }
  }
}

afterAll(async () => {
  for (const spare of spares.values()) await spare.end()
})

describeHttpServer('ThreadPoolHttpServer over LMDB', async (options) => {
  const key = sharedKey(options) ?? ''
  const spare = spares.get(key)
  spares.delete(key)
  return spare ?? PoolUnderTest.start(options)
})
