import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { afterAll } from 'vitest'
import { ThreadPoolHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'
import type { ServerOptions, ServerUnderTest } from './conformance/fixture.ts'

// To start threads takes longer than most tests, so those that ask for nothing special and close
// nothing use one server after the other, emptied in between.
let spare: PoolUnderTest | undefined

class PoolUnderTest implements ServerUnderTest {
  readonly #server: ThreadPoolHttpServer
  readonly #path: string
  readonly #isShared: boolean
  #isClosed = false

  static async start(options: ServerOptions): Promise<PoolUnderTest> {
    const path = await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
    const { indexes = {}, ...serverOptions } = options
    const server = new ThreadPoolHttpServer({
      ...serverOptions,
      store: lmdbStorage({
        path,
        indexes,
        databases: options.namespaces === undefined ? 'one' : 'several',
      }),
      port: 0,
      threads: 2,
    })
    await server.start()
    return new PoolUnderTest(server, path, Object.keys(options).length === 0)
  }

  constructor(server: ThreadPoolHttpServer, path: string, isShared: boolean) {
    this.#server = server
    this.#path = path
    this.#isShared = isShared
  }

  get port(): number {
    return this.#server.address().port
  }

  // What the fixture closes at its end is only put back.
  async close(options?: { readonly timeoutMs?: number }): Promise<void> {
    if (this.#isShared && options?.timeoutMs === 0) return
    this.#isClosed = true
    await this.#server.close(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isShared || this.#isClosed || !(await putBack(this))) await this.end()
  }

  async end(): Promise<void> {
    await this.#server.close({ timeoutMs: 0 })
    await rm(this.#path, { recursive: true })
  }
}

async function putBack(server: PoolUnderTest): Promise<boolean> {
  if (spare !== undefined) return false
  await fetch(`http://127.0.0.1:${server.port}/.json`, { method: 'DELETE' })
  spare = server
  return true
}

afterAll(async () => {
  await spare?.end()
})

describeHttpServer('ThreadPoolHttpServer over LMDB', async (options) => {
  const isPlain = Object.keys(options).length === 0
  const server = isPlain && spare !== undefined ? spare : await PoolUnderTest.start(options)
  if (server === spare) spare = undefined
  return server
})
