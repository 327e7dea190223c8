import { afterAll } from 'vitest'
import type { ServerOptions, ServerUnderTest, StartServer } from './fixture.ts'

/**
 * Servers that take longer to start than most tests take. Those that ask for the same databases and indexes, for no
 * limits, and close nothing use one after the other, emptied in between.
 * @param start is told whether more than one test may use the server
 */
export function sharing(
  start: (options: ServerOptions, isShared: boolean) => Promise<ServerUnderTest>,
): StartServer {
  const spares = new Map<string, SharedServer>()
  afterAll(async () => {
    for (const spare of spares.values()) await spare.end()
  })
  return async (options) => {
    const key = sharedKey(options)
    if (key === undefined) return start(options, false)
    const spare = spares.get(key)
    if (spare !== undefined) {
      spares.delete(key)
      return spare
    }
    const putBack = (server: SharedServer): boolean => {
      if (spares.has(key)) return false
      spares.set(key, server)
      return true
    }
    return new SharedServer(await start(options, true), options.namespaces?.names, putBack)
  }
}

/** What servers that may follow each other have in common. */
function sharedKey({ namespaces, indexes, ...others }: ServerOptions): string | undefined {
  if (Object.keys(others).length > 0 || namespaces?.createOnUse === true) return undefined
  return JSON.stringify({ namespaces, indexes })
}

class SharedServer implements ServerUnderTest {
  readonly port: number
  readonly #server: ServerUnderTest
  readonly #namespaces: readonly string[] | undefined
  readonly #putBack: (server: SharedServer) => boolean
  #isClosed = false

  constructor(
    server: ServerUnderTest,
    namespaces: readonly string[] | undefined,
    putBack: (server: SharedServer) => boolean,
  ) {
    this.port = server.port
    this.#server = server
    this.#namespaces = namespaces
    this.#putBack = putBack
  }

  // What the fixture closes at its end is only put back.
  async close(options?: { readonly timeoutMs?: number }): Promise<void> {
    if (options?.timeoutMs === 0) return
    this.#isClosed = true
    await this.#server.close(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) await this.#empty()
    if (this.#isClosed || !this.#putBack(this)) await this.end()
  }

  async end(): Promise<void> {
    await this.#server.close({ timeoutMs: 0 })
    await this.#server[Symbol.asyncDispose]()
  }

  async #empty(): Promise<void> {
    for (const query of this.#namespaces?.map((name) => `?ns=${name}`) ?? ['']) {
      const url = `http://127.0.0.1:${this.port}/.json${query}`
      const { ok } = await fetch(url, { method: 'DELETE' })
      if (!ok) throw new Error(`Cannot empty ${url}`)
    }
  }
}
