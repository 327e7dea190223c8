import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { Answer, Asked, StartServer } from './fixture.ts'

interface Once extends Asked {
  readonly method?: string
  readonly path?: string
}

/** Asks under an idempotency key. */
async function once(
  server: Fixture,
  key: string,
  { method = 'PUT', path = '/a.json', body, headers }: Once,
): Promise<Answer> {
  return server.ask(method, path, {
    ...(body === undefined ? {} : { body }),
    headers: { 'Idempotency-Key': key, ...headers },
  })
}

function seen({ status, text, headers }: Answer): unknown {
  return { status, text, etag: headers['etag'] }
}

/** Adds one to the number at `/n`, and writes the time. */
const count: Once = {
  method: 'PATCH',
  path: '/.json',
  body: '{"n":{".sv":{"increment":1}},"at":{".sv":"timestamp"}}',
}

const large = JSON.stringify(Array.from({ length: 20_000 }, (_, index) => `item ${index}`))

let clients = 0

/** A server that serves several tests remembers who wrote in them. */
function newClient(): string {
  return `ada${++clients}`
}

export function describeRepeating(start: StartServer): void {
  describe('Idempotency-Key', () => {
    test('a request that comes again is answered the same, and not carried out again', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      const first = await once(server, `${ada}-1`, count)
      expect(first.status).toBe(200)
      expect(seen(await once(server, `${ada}-1`, count))).toEqual(seen(first))
      expect(await server.read('/n.json')).toBe('1')
      await once(server, `${ada}-2`, count)
      expect(await server.read('/n.json')).toBe('2')
    })

    test('the same request many times at once is carried out once', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      const answers = await Promise.all(
        Array.from({ length: 20 }, async () => once(server, `"${ada}-1"`, count)),
      )
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
      expect(await server.read('/n.json')).toBe('1')
    })

    test('a POST that comes again is answered the key of the child that there is', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      const post = { method: 'POST', body: '{"x":1}', headers: { 'X-Firebase-ETag': 'true' } }
      const first = await once(server, `${ada}-1`, post)
      expect(seen(await once(server, `${ada}-1`, post))).toEqual(seen(first))
      const { name } = JSON.parse(first.text) as { name: string }
      expect(await server.read('/a.json')).toBe(`{"${name}":{"x":1}}`)
    })

    test('a condition is not looked at again', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      const put = { body: '1', headers: { 'if-match': 'null_etag' } }
      expect((await once(server, `${ada}-1`, put)).status).toBe(200)
      expect((await once(server, `${ada}-1`, put)).status).toBe(200)
      expect((await once(server, `${ada}-2`, put)).status).toBe(412)
      // It was not carried out, so that its number is free.
      expect((await once(server, `${ada}-2`, { method: 'DELETE' })).text).toBe('null')
      expect((await once(server, `${ada}-2`, { method: 'DELETE' })).text).toBe('null')
    })

    test('large bodies are known again', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      const put = { body: large }
      expect((await once(server, `${ada}-1`, put)).text).toBe(large)
      expect((await once(server, `${ada}-1`, put)).text).toBe(large)
      const other = await once(server, `${ada}-1`, { body: large.replace('item 7"', 'item 8"') })
      expect(other.status).toBe(422)
      expect(await server.read('/a.json')).toBe(large)
    })

    test('a large value with the time in it is answered the same again', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      const body = JSON.stringify({ at: { '.sv': 'timestamp' }, text: 'x'.repeat(70_000) })
      const put = { body, headers: { 'X-Firebase-ETag': 'true' } }
      const first = await once(server, `${ada}-1`, put)
      expect(first.status).toBe(200)
      expect(seen(await once(server, `${ada}-1`, put))).toEqual(seen(first))
      const patch = { method: 'PATCH', body: `{"b":${body}}` }
      const { text } = await once(server, `${ada}-2`, patch)
      expect((await once(server, `${ada}-2`, patch)).text).toBe(text)
    })

    test('an update of nothing uses its number', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      expect(seen(await once(server, `${ada}-1`, { method: 'PATCH', body: '{}' }))).toEqual({
        status: 200,
        text: '{}',
        etag: undefined,
      })
      expect((await once(server, `${ada}-2`, { body: '2' })).status).toBe(200)
    })

    test('another request under the same key is refused', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      await once(server, `${ada}-1`, { body: '1' })
      for (const other of [
        { body: '2' },
        { body: '1', path: '/b.json' },
        { body: '1', method: 'POST' },
        { body: '1', headers: { 'if-match': 'null_etag' } },
      ]) {
        const { status, text } = await once(server, `${ada}-1`, other)
        expect([status, text]).toEqual([
          422,
          errorText('This Idempotency-Key was used for another request'),
        ])
      }
      expect(await server.read('/.json')).toBe('{"a":1}')
    })

    test('a key that does not follow the last one is refused', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      expect((await once(server, `${ada}-2`, { body: '1' })).status).toBe(409)
      await once(server, `${ada}-1`, { body: '1' })
      await once(server, `${ada}-2`, { body: '2' })
      expect((await once(server, `${ada}-1`, { body: '1' })).status).toBe(409)
      const { status, text } = await once(server, `${ada}-4`, { body: '4' })
      expect(status).toBe(409)
      expect(text).toContain(`the last write of ${ada} was 2`)
      expect(await server.read('/.json')).toBe('{"a":2}')
    })

    test('a key of another form is refused, and one on a read means nothing', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      for (const key of [
        'ada',
        '1',
        `${ada}-0`,
        'ada-1x',
        'a b-1',
        '"ada-1',
        'ada-99999999999999999',
      ]) {
        expect((await once(server, key, { body: '1' })).status).toBe(400)
      }
      expect((await once(server, 'ada', { method: 'GET' })).text).toBe('null')
    })

    test('a request that is wrong leaves its number unused', async () => {
      await using server = await Fixture.open(start)
      const ada = newClient()
      expect((await once(server, `${ada}-1`, { body: '{' })).status).toBe(400)
      expect((await once(server, `${ada}-1`, { body: '1' })).status).toBe(200)
    })
  })
}
