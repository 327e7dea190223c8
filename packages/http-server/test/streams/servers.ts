import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage, openTree } from '@elkyn/storage-lmdb'
import type { Tree } from '@elkyn/storage-lmdb'
import { MemoryTreeStore } from '@elkyn/tree'
import { afterAll } from 'vitest'
import { SimpleHttpServer, ThreadPoolHttpServer } from '../../src/index.ts'
import type { NamespacesOptions, StreamOptions } from '../../src/index.ts'
import { EventClient } from './event-client.ts'
import type { EventClientOptions } from './event-client.ts'

export const serverKinds = ['memory', 'lmdb', 'pool'] as const

export type ServerKind = (typeof serverKinds)[number]

export interface StreamServerOptions {
  readonly streams?: StreamOptions
  readonly writeTimeoutMs?: number
  readonly maxAnswerBytes?: number
  /** Not where the data lies in a folder. */
  readonly namespaces?: NamespacesOptions
  /** How much the change log holds; what a store in memory keeps is counted in changes. */
  readonly log?: { readonly maxBytes?: number; readonly maxChanges?: number }
}

/** Fields by which the tests order the children of `/t`. */
const indexes = { '/t': ['n', '$value'], '/t/*': ['n', '$value'] }

// To start threads takes longer than most tests, so those that ask for nothing special and end nothing use one server
// after the other, emptied in between.
const spares = new Map<ServerKind, StreamServer>()

afterAll(async () => {
  for (const spare of spares.values()) await spare.discard()
})

/** A server to stream from, with whatever store and threads. */
export class StreamServer implements AsyncDisposable {
  readonly kind: ServerKind
  readonly #options: StreamServerOptions | undefined
  readonly #path: string | undefined
  #server: SimpleHttpServer | ThreadPoolHttpServer | undefined
  #tree: Tree | undefined
  #wasEnded = false
  readonly #streams = new Set<EventClient>()

  static async start(kind: ServerKind, options?: StreamServerOptions): Promise<StreamServer> {
    const spare = options === undefined ? spares.get(kind) : undefined
    if (spare === undefined) return StreamServer.#begun(kind, options)
    spares.delete(kind)
    return spare
  }

  static async #begun(kind: ServerKind, options?: StreamServerOptions): Promise<StreamServer> {
    const path = kind === 'memory' ? undefined : await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
    const server = new StreamServer(kind, options, path)
    await server.begin()
    return server
  }

  constructor(
    kind: ServerKind,
    options: StreamServerOptions | undefined,
    path: string | undefined,
  ) {
    this.kind = kind
    this.#options = options
    this.#path = path
  }

  async begin(): Promise<void> {
    const { log = {}, ...options } = this.#options ?? {}
    const front = { port: 0, metrics: true, ...options }
    const { maxBytes } = log
    const changeLog = maxBytes === undefined ? {} : { log: { maxBytes } }
    if (this.#path === undefined) {
      const store = new MemoryTreeStore({ indexes, maxLoggedChanges: log.maxChanges ?? 10_000 })
      this.#server = new SimpleHttpServer({ ...front, store })
    } else if (this.kind === 'pool') {
      const store = lmdbStorage({ path: this.#path, indexes, ...changeLog })
      this.#server = new ThreadPoolHttpServer({ ...front, store, threads: 2 })
    } else {
      this.#tree = await openTree({ path: this.#path, indexes, ...changeLog })
      this.#server = new SimpleHttpServer({ ...front, store: this.#tree.store })
    }
    await this.#server.start()
  }

  async end(timeoutMs = 2000): Promise<void> {
    this.#wasEnded = true
    await this.#server?.close({ timeoutMs })
    await this.#tree?.close()
    this.#tree = undefined
  }

  /** Copies the data folder of a server that has ended, which may be put back later. */
  async copyData(): Promise<AsyncDisposable & { restore(): Promise<void> }> {
    const path = this.#path!
    const copy = await mkdtemp(join(tmpdir(), 'elkyn-http-server-copy-'))
    await cp(path, copy, { recursive: true })
    return {
      async restore() {
        await rm(path, { recursive: true })
        await cp(copy, path, { recursive: true })
      },
      [Symbol.asyncDispose]: () => rm(copy, { recursive: true }),
    }
  }

  get url(): string {
    return this.#server!.address().url
  }

  async open(target: string, options?: EventClientOptions): Promise<EventClient> {
    const client = await EventClient.open(this.url + target, options)
    this.#streams.add(client)
    return client
  }

  async send(method: string, target: string, value?: unknown): Promise<string> {
    const body = value === undefined ? null : JSON.stringify(value)
    const response = await fetch(this.url + target, { method, body })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${target}: ${response.status} ${text}`)
    return text
  }

  async read(target: string): Promise<unknown> {
    return JSON.parse(await this.send('GET', target)) as unknown
  }

  async metric(name: string): Promise<number> {
    const text = await this.send('GET', '/.metrics')
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
    return Number(line?.split(' ')[1])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) stream.cut()
    this.#streams.clear()
    if (this.#options !== undefined || this.#wasEnded || spares.has(this.kind)) {
      return this.discard()
    }
    await this.send('DELETE', '/.json')
    while ((await this.metric('elkyn_streams')) > 0);
    spares.set(this.kind, this)
  }

  async discard(): Promise<void> {
    await this.end()
    if (this.#path !== undefined) await rm(this.#path, { recursive: true })
  }
}
