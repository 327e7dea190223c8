import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { MemoryTreeStore } from '@elkyn/tree'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SimpleHttpServer, ThreadPoolHttpServer, createRequestHandler } from '../src/index.ts'
import type { HttpResponse } from '../src/index.ts'

interface Step {
  readonly method: string
  readonly path: string
  readonly body: string
}

const place = fc.constantFrom('/', '/a', '/a.json', '/a/b', '/a/b.json', '/b.json?shallow=true')
// A long body behind a wrong path isn't read, so that the connection would end there.
const path = fc.oneof(place, fc.constant('/a.b'))
const json = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc
    .dictionary(fc.constantFrom('a', 'b', 'a/b', '0', '1'), fc.integer())
    .map((value) => JSON.stringify(value)),
  fc.constantFrom('null', '{', '', `"${'x'.repeat(70_000)}"`),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ method: fc.constantFrom('GET', 'HEAD', 'DELETE'), path, body: fc.constant('') }),
  fc.record({ method: fc.constantFrom('PUT', 'PATCH'), path: place, body: json }),
)

const servers: Readonly<
  Record<string, (folder: string) => SimpleHttpServer | ThreadPoolHttpServer>
> = {
  SimpleHttpServer: () => new SimpleHttpServer({ store: new MemoryTreeStore(), port: 0 }),
  ThreadPoolHttpServer: (dataPath) =>
    new ThreadPoolHttpServer({ store: lmdbStorage({ path: dataPath }), port: 0, threads: 2 }),
}

describe.each(Object.keys(servers))('one connection to a %s', (name) => {
  test('gives the answers to pipelined requests that they get one by one, however the bytes are cut', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'elkyn-order-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await using server = servers[name]?.(folder)
    if (server === undefined) throw new Error(`There is no ${name}`)
    await server.start()
    const { port, url } = server.address()
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.nat({ max: 2 }),
        async (steps, cuts, before) => {
          await fetch(`${url}/.json`, { method: 'DELETE' })
          const expected = await oneByOne(steps)
          const socket = connect(port, '127.0.0.1').setNoDelay()
          const received: Buffer[] = []
          socket.on('data', (bytes) => received.push(bytes))
          for (let count = 0; count < before; count++) await getNothing(socket, received)
          for (const piece of cut(steps.map(requestText).join(''), cuts)) {
            await new Promise((resolve) => socket.write(piece, resolve))
          }
          socket.end()
          await finished(socket)
          expect(answersTo(steps, Buffer.concat(received))).toEqual(expected)
        },
      ),
    )
  })

  test('gives the same answers to requests of which each waits for the answer before', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'elkyn-order-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await using server = servers[name]?.(folder)
    if (server === undefined) throw new Error(`There is no ${name}`)
    await server.start()
    const { url } = server.address()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        await send(agent, url, { method: 'DELETE', path: '/.json', body: '' })
        const answers: string[] = []
        for (const each of steps) answers.push(await send(agent, url, each))
        agent.destroy()
        expect(answers).toEqual(await oneByOne(steps))
      }),
    )
  })
})

/** Sends a request for what is not there, and takes the answer out of what is received. */
async function getNothing(socket: Socket, received: Buffer[]): Promise<void> {
  socket.write('GET /nothing.json HTTP/1.1\r\nHost: x\r\n\r\n')
  const isWhole = (): boolean => Buffer.concat(received).toString().endsWith('\r\n\r\nnull')
  while (!isWhole()) await once(socket, 'data')
  received.length = 0
}

/** Status and body of the answer to a request over a connection of the agent. */
async function send(agent: Agent, url: string, { method, path: at, body }: Step): Promise<string> {
  const sent = request(`${url}${at}`, { agent, method }).end(body === '' ? undefined : body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return `${response.statusCode} ${await text(response)}`
}

/** Status and body of each step, in turn, without a socket. */
async function oneByOne(steps: readonly Step[]): Promise<string[]> {
  const handle = createRequestHandler({ store: new MemoryTreeStore() })
  const { signal } = new AbortController()
  const shown: string[] = []
  for (const { method, path: url, body } of steps) {
    const bytes = body === '' ? undefined : Buffer.from(body)
    const response = await handle({ method, url, headers: {}, body: bytes, signal })
    shown.push(`${response.status} ${method === 'HEAD' ? '' : bodyText(response)}`)
  }
  return shown
}

function bodyText({ body = [] }: HttpResponse): string {
  return Buffer.concat(body instanceof Uint8Array ? [body] : [...body]).toString()
}

function requestText({ method, path: url, body }: Step): string {
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  return `${method} ${url} HTTP/1.1\r\nHost: x\r\n${length}\r\n${body}`
}

function cut(whole: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(whole)
  const places = cuts.map((at) => at % bytes.length).toSorted((a, b) => a - b)
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
}

/** Status and body of the answer to each step, out of the bytes that came back. */
function answersTo(steps: readonly Step[], received: Buffer): string[] {
  let rest = received
  return steps.map(({ method }) => {
    const [head, behind] = partition(rest, '\r\n\r\n')
    const { body, rest: next } =
      method === 'HEAD' ? { body: '', rest: behind } : takeBody(head, behind)
    rest = next
    return `${head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)} ${body}`
  })
}

function takeBody(head: string, bytes: Buffer): { body: string; rest: Buffer } {
  const length = /Content-Length: (\d+)/.exec(head)?.[1]
  if (length !== undefined) {
    return { body: bytes.toString('utf8', 0, Number(length)), rest: bytes.subarray(Number(length)) }
  }
  const chunks: Buffer[] = []
  let rest = bytes
  for (;;) {
    const [size, behind] = partition(rest, '\r\n')
    const end = Number.parseInt(size, 16)
    chunks.push(behind.subarray(0, end))
    rest = behind.subarray(end + 2)
    if (end === 0) return { body: Buffer.concat(chunks).toString(), rest }
  }
}

function partition(bytes: Buffer, separator: string): [before: string, behind: Buffer] {
  const at = bytes.indexOf(separator)
  if (at === -1) throw new Error(`Expected an answer, but got "${bytes.toString()}"`)
  return [bytes.toString('latin1', 0, at), bytes.subarray(at + separator.length)]
}
