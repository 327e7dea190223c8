import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const pushId = /^\{"name":"([\w-]{20})"\}$/

export function describeWriting(start: StartServer): void {
  describe('PUT', () => {
    test('replaces the node and answers what was stored', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { old: 1 })
      const answer = await server.put('/a.json', { b: { c: null }, d: [], e: 2, f: {} })
      expect([answer.status, answer.text]).toEqual([200, '{"e":2}'])
      expect(await server.read('/a.json')).toBe('{"e":2}')
    })

    test('of null or of nothing but empties deletes', async () => {
      await using server = await Fixture.open(start)
      for (const nothing of [null, {}, [], { b: { c: [] } }]) {
        await server.put('/a.json', 1)
        expect((await server.put('/a.json', nothing)).text).toBe('null')
        expect(await server.read('/a.json')).toBe('null')
      }
    })

    test('below a leaf replaces the leaf', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 5)
      await server.put('/a/b.json', 1)
      expect(await server.read('/a.json')).toBe('{"b":1}')
    })

    test('takes a body of any Content-Type', async () => {
      await using server = await Fixture.open(start)
      for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'nonsense']) {
        const answer = await server.put('/a.json', { b: 1 }, { 'Content-Type': type })
        expect([answer.status, answer.text]).toEqual([200, '{"b":1}'])
      }
    })

    test('shows priorities in the answer only with format=export', async () => {
      await using server = await Fixture.open(start)
      const value = { '.value': 1, '.priority': 2 }
      expect((await server.put('/a.json', value)).text).toBe('1')
      expect(JSON.parse((await server.put('/a.json?format=export', value)).text)).toEqual(value)
    })

    test('without a body is refused', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.ask('PUT', '/a.json')
      expect([answer.status, answer.text]).toEqual([400, errorText('Error: No data supplied.')])
    })

    test('answers a large value as it answers a small one', async () => {
      await using server = await Fixture.open(start)
      const value = Array.from({ length: 20_000 }, (_, id) => ({ id, name: `number ${id}` }))
      const answer = await server.put('/list.json', value)
      expect([answer.status, answer.text]).toEqual([200, JSON.stringify(value)])
      expect(await server.read('/list.json')).toBe(JSON.stringify(value))
      const silent = await server.put('/list.json?print=silent', value.toReversed())
      expect([silent.status, silent.text]).toEqual([204, ''])
      expect(await server.read('/list/0/id.json')).toBe('19999')
    })

    test('takes a body that comes in chunks', async () => {
      await using server = await Fixture.open(start)
      const value = { a: 'x'.repeat(100), b: 'é'.repeat(200) }
      const bytes = Buffer.from(JSON.stringify(value))
      const answer = await server.ask('PUT', '/a.json', { body: bytewise(bytes) })
      expect([answer.status, answer.text]).toEqual([200, JSON.stringify(value)])
    })
  })

  describe('PATCH', () => {
    test('replaces the named children, keeps the others, and answers what was sent', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: { x: 1, y: 2 }, c: 1, d: 1 })
      const answer = await server.patch('/a.json', { b: { x: 3 }, c: null })
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.text)).toEqual({ b: { x: 3 }, c: null })
      expect(await server.read('/a.json')).toBe('{"b":{"x":3},"d":1}')
    })

    test('takes paths as names', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.patch('/.json', { 'a/b/c': 1, '/d/e/': { f: 2 }, 'a/x': null })
      expect(answer.status).toBe(200)
      expect(await server.read('/.json')).toBe('{"a":{"b":{"c":1}},"d":{"e":{"f":2}}}')
    })

    test('does not percent-decode names', async () => {
      await using server = await Fixture.open(start)
      await server.patch('/.json', { 'a%2Fb': 1 })
      expect(await server.read('/.json')).toBe('{"a%2Fb":1}')
    })

    test('sets a priority by its path', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect((await server.patch('/.json', { 'a/b/.priority': 7 })).status).toBe(200)
      expect(await server.read('/a/b/.priority.json')).toBe('7')
    })

    test('refuses a path that is given twice, or leads through another', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.patch('/.json', { a: 1, 'a/b': 2 })
      expect([answer.status, answer.text]).toEqual([
        400,
        errorText("Invalid data; path '/a' is an ancestor of another path '/a/b'"),
      ])
      expect((await server.patch('/.json', { 'a/b': 1, '/a/b/': 2 })).status).toBe(400)
      expect(await server.read('/.json')).toBe('null')
    })

    test('writes all or nothing', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect((await server.patch('/a.json', { b: 2, 'c.d': 3 })).status).toBe(400)
      expect((await server.patch('/a.json', { b: 2, c: { 'd.e': 3 } })).status).toBe(400)
      expect(await server.read('/a.json')).toBe('{"b":1}')
    })

    test('of anything but an object is refused', async () => {
      await using server = await Fixture.open(start)
      for (const body of ['1', '"x"', '[1]', 'true', '{', 'nonsense', '']) {
        const answer = await server.ask('PATCH', '/a.json', { body })
        expect([body, answer.status, answer.text]).toEqual([
          body,
          400,
          errorText(
            "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?",
          ),
        ])
      }
    })

    test('of null deletes the node', async () => {
      await using server = await Fixture.open(start)
      for (const body of ['null', `${' '.repeat(100_000)}null`]) {
        await server.put('/a.json', { b: 1 })
        const answer = await server.ask('PATCH', '/a.json', { body })
        expect([answer.status, answer.text]).toEqual([200, 'null'])
        expect(await server.read('/a.json')).toBe('null')
      }
    })

    test('of an empty object changes nothing', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      const answer = await server.patch('/a.json', {})
      expect([answer.status, answer.text]).toEqual([200, '{}'])
      expect(await server.read('/a.json')).toBe('{"b":1}')
    })

    test('keeps the priority of the node', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1, '.priority': 5 })
      await server.patch('/a.json', { c: 1 })
      expect(await server.read('/a/.priority.json')).toBe('5')
    })

    test('takes a large update, of large members and of many', async () => {
      await using server = await Fixture.open(start)
      const update = {
        ...Object.fromEntries(
          Array.from({ length: 5000 }, (_, index) => [`many/${index}`, `value ${index}`]),
        ),
        large: { text: 'x'.repeat(200_000) },
        'large2/list': Array.from({ length: 20_000 }, (_, index) => index),
      }
      const answer = await server.patch('/a.json', update)
      expect(answer.status).toBe(200)
      expect(JSON.parse(answer.text)).toEqual(update)
      expect(await server.read('/a/large.json')).toBe(JSON.stringify(update.large))
      expect(JSON.parse(await server.read('/a/many.json'))).toHaveLength(5000)
    })

    test('refuses a large update whose paths conflict', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.patch('/.json', { a: 'x'.repeat(100_000), 'a/b': 1 })
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('is an ancestor of another path')
      expect(await server.read('/.json')).toBe('null')
    })
  })

  describe('POST', () => {
    test('adds a child under a new key and answers the key', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.ask('POST', '/list.json', { body: '{"a":1}' })
      expect(answer.status).toBe(200)
      const [, name = ''] = pushId.exec(answer.text) ?? []
      expect(await server.read(`/list/${name}.json`)).toBe('{"a":1}')
    })

    test('gives keys that sort in the order of the requests', async () => {
      await using server = await Fixture.open(start)
      const names: string[] = []
      for (let index = 0; index < 20; index++) {
        const answer = await server.ask('POST', '/list.json', { body: String(index) })
        names.push(pushId.exec(answer.text)?.[1] ?? '')
      }
      expect(names.toSorted()).toEqual(names)
      expect(Object.values(JSON.parse(await server.read('/list.json')) as object)).toEqual(
        names.map((_, index) => index),
      )
    })

    test('of null answers a key and stores nothing', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.ask('POST', '/list.json', { body: 'null' })
      expect(answer.text).toMatch(pushId)
      expect(await server.read('/list.json')).toBe('null')
    })

    test('takes a large value', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.ask('POST', '/l', { body: JSON.stringify('x'.repeat(100_000)) })
      const [, name = ''] = pushId.exec(answer.text) ?? []
      expect(await server.read(`/l/${name}`)).toHaveLength(100_002)
    })

    test('to a place that can have no children is refused', async () => {
      await using server = await Fixture.open(start)
      expect((await server.ask('POST', '/a/.priority.json', { body: '1' })).status).toBe(400)
    })
  })

  describe('DELETE', () => {
    test('deletes the node, and parents that lose their last child', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: { c: 1 } })
      const answer = await server.ask('DELETE', '/a/b/c.json')
      expect([answer.status, answer.text]).toEqual([200, 'null'])
      expect(await server.read('/.json')).toBe('null')
    })

    test('of nothing succeeds, on both surfaces', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 5)
      for (const path of ['/none.json', '/none', '/a/b.json', '/']) {
        const answer = await server.ask('DELETE', path)
        expect([answer.status, answer.text]).toEqual([200, 'null'])
      }
      expect(await server.read('/none.json')).toBe('null')
    })

    test('ignores a body', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 5)
      const answer = await server.ask('DELETE', '/a.json', { body: 'nonsense' })
      expect([answer.status, answer.text]).toEqual([200, 'null'])
      expect(await server.read('/a.json')).toBe('null')
    })
  })

  describe('the method override', () => {
    test('of a POST is taken from the header or the parameter, the header first', async () => {
      await using server = await Fixture.open(start)
      const header = { 'X-HTTP-Method-Override': 'put' }
      expect((await server.ask('POST', '/a.json', { body: '1', headers: header })).text).toBe('1')
      const parameter = '/a.json?x-http-method-override='
      expect((await server.ask('POST', `${parameter}GET`)).text).toBe('1')
      expect(
        (await server.ask('POST', `${parameter}DELETE`, { body: '2', headers: header })).text,
      ).toBe('2')
      expect((await server.ask('POST', `${parameter}delete`)).text).toBe('null')
    })

    test('is ignored on other methods, and refused where it names none', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      expect((await server.get('/a.json', { 'X-HTTP-Method-Override': 'DELETE' })).text).toBe('1')
      const answer = await server.ask('POST', '/a.json?x-http-method-override=BREW', { body: '1' })
      expect(answer.status).toBe(400)
    })
  })

  describe('server values', () => {
    test('timestamps of one request are one time, and stand in the answer', async () => {
      await using server = await Fixture.open(start)
      const now = { '.sv': 'timestamp' }
      const before = Date.now()
      const answer = await server.put('/a.json', { at: now, list: [now], '.priority': now })
      const { at, list } = JSON.parse(answer.text) as { at: number; list: number[] }
      expect(at).toBeGreaterThanOrEqual(before)
      expect(at).toBeLessThanOrEqual(Date.now())
      expect(list).toEqual([at])
      expect(await server.read('/a/.priority.json')).toBe(String(at))
    })

    test('an increment adds to the number there, or stands for itself', async () => {
      await using server = await Fixture.open(start)
      const add = (increment: number) => ({ '.sv': { increment } })
      await server.put('/a.json', { n: 5, text: 'x' })
      const answer = await server.patch('/a.json', { n: add(2), text: add(1.5), 'new/n': add(-1) })
      expect(JSON.parse(answer.text)).toEqual({ n: 7, text: 1.5, 'new/n': -1 })
      expect((await server.put('/a/n.json', add(1))).text).toBe('8')
    })

    test('an unknown one is refused', async () => {
      await using server = await Fixture.open(start)
      for (const value of ['now', { increment: 'x' }, { add: 1 }, null, 5]) {
        const answer = await server.put('/a.json', { b: { '.sv': value } })
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText('Invalid data; unrecognized server value'),
        ])
      }
      expect((await server.put('/a.json', { '.sv': 'timestamp', x: 1 })).status).toBe(400)
      expect(await server.read('/a.json')).toBe('null')
    })
  })
}

async function* bytewise(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < bytes.length; index++) yield bytes.subarray(index, index + 1)
}
