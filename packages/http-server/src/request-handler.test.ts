import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { TreeError } from '@elkyn/tree'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ObservedStore } from '../test/observed-store.ts'
import { createRequestHandler } from './index.ts'
import type { HttpRequest, HttpResponse, RequestHandlerOptions } from './index.ts'

const large = JSON.stringify(Array.from({ length: 200 }, () => 'x'.repeat(1000)))

class Asker {
  readonly store = new ObservedStore()
  readonly logged: unknown[] = []
  readonly #handle

  constructor(options: Partial<RequestHandlerOptions> = {}) {
    const write = (fields: object): void => {
      this.logged.push((fields as { err?: unknown }).err)
    }
    this.#handle = createRequestHandler({
      store: this.store,
      log: { error: write, warn: write },
      ...options,
    })
  }

  ask(
    method: string,
    url: string,
    body?: string | HttpRequest['body'],
    rest: Partial<HttpRequest> = {},
  ): HttpResponse | Promise<HttpResponse> {
    return this.#handle({
      method,
      url,
      headers: {},
      body: typeof body === 'string' ? Buffer.from(body) : body,
      signal: new AbortController().signal,
      ...rest,
    })
  }

  async status(...parameters: Parameters<Asker['ask']>): Promise<number> {
    return (await this.ask(...parameters)).status
  }
}

describe('createRequestHandler()', () => {
  test('answers reads at once, without a promise', async () => {
    const asker = new Asker()
    await asker.ask('PUT', '/a.json', '{"b":1}')
    const response = asker.ask('GET', '/a.json')
    expect(response).toMatchObject({ status: 200 })
  })

  test('gives up what it began to read where the time is over', async () => {
    const asker = new Asker()
    await asker.ask('PUT', '/a.json', large)
    expect(await asker.status('GET', '/a.json?timeout=0.0001ms')).toBe(400)
    expect([asker.store.openBlocks, asker.store.openSnapshots]).toEqual([0, 0])
    // Nor has it all of its time that has waited before.
    const cameAt = performance.now() - 60_000
    expect(await asker.status('GET', '/a.json?timeout=1min', undefined, { cameAt })).toBe(400)
    expect(await asker.status('GET', '/a.json?timeout=15min', undefined, { cameAt })).toBe(200)
  })

  test('lets each of all databases be as deep as a tree', async () => {
    const asker = new Asker({ allDatabases: true })
    for (const long of ['', 'x'.repeat(100_000)]) {
      const nested = (levels: number) => {
        return `${'{"k":'.repeat(levels)}"v${long}"${'}'.repeat(levels)}`
      }
      for (const [method, path, levels] of [
        ['PUT', '/', 33],
        ['PATCH', '/', 33],
        ['PUT', '/shop', 32],
        ['POST', '/shop', 31],
      ] as const) {
        expect(await asker.status(method, `${path}.json`, nested(levels))).toBe(200)
        expect(await asker.status(method, `${path}.json`, nested(levels + 1))).toBe(400)
      }
    }
    expect(
      await new Asker().status('PUT', '/.json', `${'{"k":'.repeat(33)}1${'}'.repeat(33)}`),
    ).toBe(400)
  })

  test('gives small bodies as bytes and large ones in blocks', async () => {
    const asker = new Asker()
    const put = await asker.ask('PUT', '/a.json', large)
    expect(await bodyText(put)).toBe(large)
    const get = await asker.ask('GET', '/a.json')
    expect(get.body).not.toBeInstanceOf(Uint8Array)
    expect(await bodyText(get)).toBe(large)
  })

  test('gives empty blocks where a query looks at many children, however its answer is made', async () => {
    const asker = new Asker()
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`k${index}`, 1]))
    await asker.ask('PUT', '/a.json', JSON.stringify(many))
    const where = encodeURIComponent('{"$key":{"!=":"x"}}')
    const url = `/a.json?where=${where}&count=true`
    for (const form of ['', '&print=pretty', '&callback=f', '&print=pretty&callback=f']) {
      for (const coding of ['identity', 'gzip']) {
        const headers = { 'accept-encoding': coding }
        const { body } = await asker.ask('GET', `${url}${form}`, undefined, { headers })
        const blocks = body as Iterable<Uint8Array>
        expect([...blocks].filter(({ length }) => length === 0).length).toBeGreaterThan(2)
      }
    }
  })

  test('takes a body at once, in pieces, and none', async () => {
    const asker = new Asker()
    expect(await asker.status('PUT', '/a.json', '1')).toBe(200)
    expect(await asker.status('PUT', '/a.json', pieces('[1', ',2]'))).toBe(200)
    expect(await bodyText(await asker.ask('GET', '/a.json'))).toBe('[1,2]')
    expect(await asker.status('PUT', '/a.json')).toBe(400)
  })

  test('does not touch the body of a request that is refused by its head', async () => {
    const asker = new Asker()
    const untouchable = pieces()
    untouchable.next = () => {
      throw new Error('touched')
    }
    expect(await asker.status('PUT', '/a.b.json', untouchable)).toBe(400)
    expect(await asker.status('GET', '/a.json', untouchable)).toBe(200)
  })

  test('deletes nothing before the body of the request has come, and throws that away', async () => {
    const asker = new Asker({ maxBodyBytes: 10 })
    await asker.ask('PUT', '/a.json', '1')
    expect(await asker.status('DELETE', '/a.json', broken('{'))).not.toBe(200)
    expect(await asker.status('DELETE', '/a.json', pieces('123456', '78901'))).toBe(413)
    expect(await asker.status('DELETE', '/a.json', Buffer.from('12345678901'))).toBe(413)
    expect(await bodyText(await asker.ask('GET', '/a.json'))).toBe('1')
    expect(await asker.status('DELETE', '/a.json', pieces('123456', '7890'))).toBe(200)
    expect(await bodyText(await asker.ask('GET', '/a.json'))).toBe('null')
  })

  test('closes the snapshot in every exit', async () => {
    const asker = new Asker()
    await asker.ask('PUT', '/a.json', large)
    await asker.ask('GET', '/a.json?print=silent')
    await asker.ask('GET', '/none')
    await asker.ask('GET', '/a/0.json?print=pretty')
    expect(asker.store.openSnapshots).toBe(0)

    // Taken to the end.
    await bodyText(await asker.ask('GET', '/a.json'))
    expect(asker.store.openSnapshots).toBe(0)

    // Given up before, and behind, the first block.
    for (const blocksTaken of [0, 1]) {
      const blocks = blocksOf(await asker.ask('GET', '/a.json?print=pretty'))
      expect(asker.store.openSnapshots).toBe(1)
      for (let count = 0; count < blocksTaken; count++) blocks.next()
      blocks.return?.()
      expect(asker.store.openSnapshots).toBe(0)
      expect(blocks.next()).toEqual({ done: true, value: undefined })
    }

    // Reading fails.
    asker.store.readFailure = new Error('disk')
    const blocks = blocksOf(await asker.ask('GET', '/a.json'))
    expect(() => [...{ [Symbol.iterator]: () => blocks }]).toThrow('disk')
    expect(asker.store.openSnapshots).toBe(0)
  })

  test('leaves nothing staged behind, however the request ends', async () => {
    const asker = new Asker()
    const signal = AbortSignal.abort()
    expect(await asker.status('PUT', '/a.json', large)).toBe(200)
    expect(await asker.status('PUT', '/b.json', large.slice(0, -1))).toBe(400)
    expect(await asker.status('PUT', '/b.json', large, { headers: { 'if-match': 'x' } })).toBe(412)
    expect(await asker.status('PUT', '/b/.priority.json', large)).toBe(400)
    expect(await asker.status('PUT', '/b.json', large, { signal })).toBe(400)
    expect(await asker.status('PUT', '/b.json', broken(large))).toBe(500)
    asker.store.failure = new TreeError('ERR_STORE_FULL', 'full')
    expect(await asker.status('PUT', '/b.json', large)).toBe(507)
    asker.store.failure = undefined
    expect(asker.store.openStagers).toBe(0)
    expect(await asker.status('GET', '/b')).toBe(404)
  })

  test('takes 256 large bodies at one time, of which one that comes too slowly gives way', async () => {
    const asker = new Asker()
    const sources = Array.from({ length: 256 }, () => new Readable({ read() {} }))
    const stalled = sources.map(async (source, index) => {
      source.push(`"${'x'.repeat(70_000)}`)
      return asker.ask('PUT', `/${index}.json?print=silent`, source)
    })
    await vi.waitFor(() => expect(asker.store.openStagers).toBe(256))

    const refused = await asker.ask('PUT', '/a.json', pieces(large))
    expect(refused.status).toBe(503)
    expect(refused.headers.join()).toContain('Retry-After,1')
    expect(await errorOf(refused)).toBe('The server is busy: Too many large bodies arrive at once')
    expect(await asker.status('PUT', '/a.json', large)).toBe(503)
    expect(await asker.status('PUT', '/a.json', pieces('[1', ',2]'))).toBe(200)

    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_000)
    onTestFinished(() => void vi.restoreAllMocks())
    expect(await asker.status('PUT', '/b.json', pieces(large))).toBe(200)
    const slow = await Promise.race(stalled)
    expect(slow.status).toBe(503)
    expect(await errorOf(slow)).toBe('The server is busy: The body came too slowly')
    for (const source of sources) {
      source.push('"')
      source.push(null)
    }
    const statuses = (await Promise.all(stalled)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 204)).toHaveLength(255)
    // All places are free again.
    expect(await asker.status('PUT', '/a.json?print=silent', pieces(large))).toBe(204)
    expect(asker.store.openStagers).toBe(0)
    expect(asker.logged).toEqual([])
  })

  test('does not touch a large body for which there is no place', async () => {
    const asker = new Asker()
    const { promise: later, resolve: end } = Promise.withResolvers<void>()
    const headers = { 'content-length': '100000' }
    const stalled = Array.from({ length: 256 }, () =>
      asker.status('PUT', '/a.json', piecesAfter(later, '"'), { headers }),
    )
    const untouchable = pieces()
    untouchable.next = () => {
      throw new Error('touched')
    }
    expect(await asker.status('PUT', '/a.json', untouchable, { headers })).toBe(503)
    end()
    for (const status of await Promise.all(stalled)) expect(status).toBe(400)
    expect(await asker.status('PUT', '/a.json', pieces('1'), { headers })).toBe(200)
  })

  test('says nothing of an error of its own but to the log', async () => {
    const asker = new Asker()
    asker.store.failure = new Error('secret')
    for (const response of [
      await asker.ask('GET', '/a.json'),
      await asker.ask('DELETE', '/a.json'),
    ]) {
      expect(response.status).toBe(500)
      expect(await bodyText(response)).toBe('{\n  "error" : "An internal error occurred"\n}\n')
    }
    expect(asker.logged).toEqual([asker.store.failure, asker.store.failure])
  })

  test('answers for a store that is full, closed or broken', async () => {
    const asker = new Asker()
    for (const [code, status] of [
      ['ERR_STORE_FULL', 507],
      ['ERR_STORE_CLOSED', 503],
      ['ERR_STORE_FAILED', 503],
    ] as const) {
      asker.store.failure = new TreeError(code, 'secret')
      const response = await asker.ask('PUT', '/a.json', '1')
      expect(response.status).toBe(status)
      expect(await bodyText(response)).not.toContain('secret')
      expect(asker.logged.at(-1)).toBe(asker.store.failure)
    }
  })

  test('asks to come back where there is no room for one more snapshot, and logs nothing', async () => {
    const asker = new Asker()
    asker.store.failure = new TreeError('ERR_TOO_MANY_SNAPSHOTS', 'secret')
    for (const [method, suffix] of [
      ['GET', ''],
      ['DELETE', ': Nothing was written'],
    ] as const) {
      const response = await asker.ask(method, '/a.json')
      expect(response.status).toBe(503)
      expect(response.headers.join()).toContain('Retry-After,1')
      expect(await errorOf(response)).toBe(
        `The server is busy: Too many snapshots are open${suffix}`,
      )
    }
    asker.store.failure = undefined
    asker.store.leavesValuesOut = true
    asker.store.snapshotFailure = new TreeError('ERR_TOO_MANY_SNAPSHOTS', 'secret')
    expect(await asker.status('PUT', '/a.json', large)).toBe(500)
    expect(asker.logged).toEqual([])
  })

  test('does not log what clients do wrong', async () => {
    const asker = new Asker()
    await asker.ask('PUT', '/a.json', '{')
    await asker.ask('GET', '/a.b')
    await asker.ask('BREW', '/a')
    expect(asker.logged).toEqual([])
  })

  test('refuses a body over maxBodyBytes, in one piece or many', async () => {
    const asker = new Asker({ maxBodyBytes: 10 })
    expect(await asker.status('PUT', '/a.json', '"12345678"')).toBe(200)
    expect(await asker.status('PUT', '/a.json', '"123456789"')).toBe(413)
    expect(await asker.status('PUT', '/a.json', pieces('"12345', '6789"'))).toBe(413)
  })

  test('refuses an update whose paths come to more than can be held', async () => {
    const asker = new Asker()
    const long = `/${'k'.repeat(768)}`.repeat(31)
    const update = (members: number): string =>
      JSON.stringify(Object.fromEntries(Array.from({ length: members }, (_, index) => [index, 1])))
    expect(await asker.status('PATCH', `${long}.json`, update(1500))).toBe(413)
    expect(asker.store.snapshot().sequence).toBe(0)
    expect(await asker.status('PATCH', `${long}.json`, update(10))).toBe(200)
    expect(await asker.status('PATCH', '/short.json', update(5000))).toBe(200)
  })

  test('says that nothing was written where it failed to write, and only there', async () => {
    const asker = new Asker()
    asker.store.failure = new TreeError('ERR_STORE_FAILED', 'secret')
    for (const [method, message] of [
      ['GET', 'The database failed'],
      ['DELETE', 'The database failed: Nothing was written'],
    ] as const) {
      const response = await asker.ask(method, '/a.json')
      expect(response.status).toBe(503)
      expect(await errorOf(response)).toBe(message)
    }
  })

  test('reads what is there instead where the store leaves that out', async () => {
    const asker = new Asker()
    await asker.ask('PUT', '/a.json', '{"b":1}')
    asker.store.leavesValuesOut = true
    const response = await asker.ask('PUT', '/a.json', '2', { headers: { 'if-match': 'x' } })
    expect(response.status).toBe(412)
    expect(await bodyText(response)).toBe('{"b":1}')
    expect(response.headers).toContain('ETag')
    expect(asker.store.openSnapshots).toBe(0)
  })

  test('does not read back what it need not show', async () => {
    const asker = new Asker()
    asker.store.leavesValuesOut = true
    asker.store.snapshotFailure = new TreeError('ERR_STORE_FAILED', 'no room')
    expect(await asker.status('POST', '/list.json', large)).toBe(200)
    expect(await asker.status('PUT', '/a.json?print=silent', large)).toBe(204)
    expect(await asker.status('PATCH', '/b.json?print=silent', `{"c":${large}}`)).toBe(204)
    expect(asker.logged).toEqual([])
  })

  test('says that a write was done which it cannot show', async () => {
    const headers = { 'x-firebase-etag': 'true' }
    for (const [method, body, rest] of [
      ['PUT', large, {}],
      ['PATCH', `{"c":${large}}`, {}],
      ['POST', large, { headers }],
    ] as const) {
      const asker = new Asker()
      asker.store.leavesValuesOut = true
      asker.store.snapshotFailure = new TreeError('ERR_STORE_FAILED', 'no room')
      const response = await asker.ask(method, '/a.json', body, rest)
      expect(response.status).toBe(500)
      expect(await errorOf(response)).toBe('The data was written, but cannot be shown')
      expect(asker.logged).toEqual([asker.store.snapshotFailure])
      asker.store.snapshotFailure = undefined
      expect(await asker.status('GET', '/a')).toBe(200)
    }
  })

  test('does not say that a write was done which was refused, where it cannot show why', async () => {
    const asker = new Asker({ maxStreamedAnswers: 1 })
    await asker.ask('PUT', '/a.json?print=silent', large)
    asker.store.leavesValuesOut = true
    const write = (): ReturnType<Asker['ask']> =>
      asker.ask('PUT', '/a.json', '1', { headers: { 'if-match': 'x' } })
    asker.store.snapshotFailure = new TreeError('ERR_STORE_FAILED', 'no room')
    const failed = await write()
    expect(failed.status).toBe(503)
    expect(await errorOf(failed)).toBe('The database failed: Nothing was written')
    asker.store.snapshotFailure = undefined
    const blocks = blocksOf(await asker.ask('GET', '/a.json'))
    const refused = await write()
    expect(refused.status).toBe(503)
    expect(refused.headers.join()).toContain('Retry-After,1')
    blocks.return?.()
  })

  test('sends no more than maxStreamedAnswers answers in blocks at once', async () => {
    const asker = new Asker({ maxStreamedAnswers: 2 })
    asker.store.leavesValuesOut = true
    await asker.ask('PUT', '/a.json?print=silent', large)
    await asker.ask('PUT', '/b.json', '1')
    const first = blocksOf(await asker.ask('GET', '/a.json'))
    const second = blocksOf(await asker.ask('GET', '/a.json'))
    const refused = await asker.ask('GET', '/a.json')
    expect(refused).toMatchObject({ status: 503 })
    expect(refused.headers.join()).toContain('Retry-After,1')
    expect(await errorOf(refused)).toMatch(/busy/)
    expect(await asker.status('GET', '/b.json')).toBe(200)
    expect(await asker.status('PUT', '/c.json', large)).toBe(500)
    expect(asker.store.openSnapshots).toBe(2)

    // Given up twice, it counts once.
    first.return?.()
    first.return?.()
    const third = blocksOf(await asker.ask('GET', '/a.json'))
    expect(await asker.status('GET', '/a.json')).toBe(503)
    for (const blocks of [second, third]) blocks.return?.()
    expect(asker.store.openSnapshots).toBe(0)
    expect(asker.logged).toEqual([])
  })

  test('counts what is read for an ETag or a limit of size among maxStreamedAnswers', async () => {
    const asker = new Asker({ maxStreamedAnswers: 1, maxAnswerBytes: 300_000 })
    asker.store.leavesValuesOut = true
    await asker.ask('PUT', '/a.json?print=silent', large)
    await asker.ask('PUT', '/b.json?print=silent', `[${large},${large}]`)
    await asker.ask('PUT', '/c.json?print=silent', '1')
    const wantsEtag = { headers: { 'x-firebase-etag': 'true' } }
    const ask = (name: string, rest = {}) => asker.ask('GET', `/${name}.json`, undefined, rest)
    // With its body it has one place.
    const held = await ask('a', wantsEtag)
    expect(held.status).toBe(200)
    const etag = held.headers[held.headers.indexOf('ETag') + 1]!
    const unchanged = { headers: { 'if-none-match': etag } }
    for (const refused of [await ask('a', unchanged), await ask('b')]) {
      expect(refused.status).toBe(503)
      expect(refused.headers.join()).toContain('Retry-After,1')
    }
    expect((await ask('c', wantsEtag)).status).toBe(200)
    blocksOf(held).return?.()
    // Each gives its place back.
    for (let round = 0; round < 2; round++) {
      expect((await ask('a', unchanged)).status).toBe(304)
      expect((await ask('b')).status).toBe(400)
    }
    expect([asker.store.openBlocks, asker.store.openSnapshots]).toEqual([0, 0])
    expect(asker.logged).toEqual([])
  })

  test('takes a backslash in a URL where it may', async () => {
    const asker = new Asker()
    await asker.ask('PUT', '/a.json', String.raw`{"b\\c":{"d":1}}`)
    expect(await asker.status('GET', '/a/b%5Cc/d.json')).toBe(400)
    const taking = new Asker({ store: asker.store, backslashesInUrls: true })
    expect(await bodyText(await taking.ask('GET', '/a/b%5Cc/d.json'))).toBe('1')
    expect(await bodyText(await taking.ask('GET', '/a/b%5Cc/d'))).toBe('1')
    expect(await taking.status('GET', '/a/b%2Fc.json')).toBe(400)
  })

  test('refuses a limit that is none', () => {
    for (const maxBodyBytes of [0, -1, 1.5, Number.NaN, Infinity]) {
      expect(() => new Asker({ maxBodyBytes })).toThrow(RangeError)
    }
  })
})

async function bodyText({ body = [] }: HttpResponse): Promise<string> {
  return text(Readable.from(body instanceof Uint8Array ? [body] : body))
}

async function errorOf(response: HttpResponse): Promise<unknown> {
  return (JSON.parse(await bodyText(response)) as { error: unknown }).error
}

function blocksOf({ body }: HttpResponse): Iterator<Uint8Array> {
  return (body as Iterable<Uint8Array>)[Symbol.iterator]()
}

async function* pieces(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

async function* piecesAfter(start: Promise<void>, ...parts: string[]): AsyncGenerator<Uint8Array> {
  await start
  yield* pieces(...parts)
}

async function* broken(part: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(part)
  throw new Error('the source broke off')
}
