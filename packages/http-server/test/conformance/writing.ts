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

    test('below a leaf replaces the leaf, and keeps its priority', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { '.value': 5, '.priority': 'p' })
      await server.put('/a/b.json', 1)
      expect(await server.read('/a.json?format=export')).toBe('{".priority":"p","b":1}')
    })

    test('stores an array by the places of its elements', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/a.json', ['x', null, ['y']])).text).toBe('["x",null,["y"]]')
      expect(await server.read('/a.json?format=export')).toBe('{"0":"x","2":{"0":"y"}}')
      expect(await server.read('/a/2/0.json')).toBe('"y"')
    })

    test('takes a backslash in a key, which no path holds', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/a.json', { [String.raw`b\c`]: 1 })).status).toBe(200)
      expect(await server.read('/a.json')).toBe(String.raw`{"b\\c":1}`)
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

    test('and POST without a body are refused', async () => {
      await using server = await Fixture.open(start)
      for (const method of ['PUT', 'POST']) {
        for (const asked of [{}, { body: '' }, { body: [] }]) {
          const { status, text } = await server.ask(method, '/a.json', asked)
          expect([status, text]).toEqual([400, errorText('Error: No data supplied.')])
        }
      }
      expect(await server.read('/.json')).toBe('null')
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
      for (const path of ['/none.json', '/none', '/a/b.json']) {
        const answer = await server.ask('DELETE', path)
        expect([answer.status, answer.text]).toEqual([200, 'null'])
      }
      expect(await server.read('/.json')).toBe('{"a":5}')
      expect((await server.ask('DELETE', '/')).text).toBe('null')
      expect((await server.ask('DELETE', '/')).text).toBe('null')
    })

    test('drops the priority of the node', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { '.value': 1, '.priority': 2 })
      await server.ask('DELETE', '/a.json')
      await server.put('/a/b.json', 1)
      expect(await server.read('/.json?format=export')).toBe('{"a":{"b":1}}')
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
      for (const name of [parameter, '/a.json?X-HTTP-Method-Override=']) {
        expect((await server.ask('POST', `${name}GET`)).text).toBe('1')
      }
      expect(
        (await server.ask('POST', `${parameter}DELETE`, { body: '2', headers: header })).text,
      ).toBe('2')
      expect((await server.ask('POST', `${parameter}delete`)).text).toBe('null')
    })

    test('is ignored on other methods, and refused where it names none', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      expect((await server.get('/a.json', { 'X-HTTP-Method-Override': 'DELETE' })).text).toBe('1')
      for (const name of ['BREW', 'OPTIONS', '']) {
        const parameter = `/a.json?x-http-method-override=${name}`
        expect((await server.ask('POST', parameter, { body: '1' })).status).toBe(400)
        const headers = { 'X-HTTP-Method-Override': name }
        expect((await server.ask('POST', '/a.json', { body: '1', headers })).status).toBe(400)
      }
      expect(await server.read('/.json')).toBe('{"a":1}')
    })

    test('decides about everything that depends on the method', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      const get = '/a.json?x-http-method-override=GET'
      expect((await server.ask('POST', `${get}&shallow=true`)).text).toBe('{"b":true}')
      expect((await server.ask('POST', `${get}&callback=f`)).text).toBe('/**/f({"b":1});')
      const head = await server.ask('POST', '/a.json?x-http-method-override=HEAD')
      expect([head.status, head.text]).toEqual([200, '{"b":1}'])
      const etag = { 'X-Firebase-ETag': 'true', 'X-HTTP-Method-Override': 'PATCH' }
      const patch = await server.ask('POST', '/a.json', { body: '{"b":2}', headers: etag })
      expect(patch.text).toBe(errorText('ETag requests are not supported for PATCH'))
      const match = { 'if-match': 'other', 'X-HTTP-Method-Override': 'PUT' }
      expect((await server.ask('POST', '/a.json', { body: '2', headers: match })).status).toBe(412)
      expect(await server.read('/.json')).toBe('{"a":{"b":1}}')
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

    test('one PATCH has one time, and a POST has one too', async () => {
      await using server = await Fixture.open(start)
      const now = { '.sv': 'timestamp' }
      const { text } = await server.patch('/a.json', { b: now, 'c/d': now, 'e/.priority': now })
      const { b, 'c/d': d } = JSON.parse(text) as Record<string, number>
      expect([b, await server.read('/a/c/d.json')]).toEqual([d, String(d)])
      const { name } = JSON.parse(
        (await server.ask('POST', '/l.json', { body: JSON.stringify({ at: now }) })).text,
      ) as { name: string }
      expect(Number(await server.read(`/l/${name}/at.json`))).toBeGreaterThanOrEqual(Number(b))
    })

    test('an increment may be a priority, and may add up to a fraction', async () => {
      await using server = await Fixture.open(start)
      const add = (increment: number) => ({ '.sv': { increment } })
      await server.put('/a.json', { '.value': 1, '.priority': add(2) })
      expect((await server.put('/a/.priority.json', add(0.5))).text).toBe('2.5')
      expect((await server.put('/a.json', add(-1.5))).text).toBe('-0.5')
    })

    test('an increment that no number can hold is refused', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1e308)
      expect((await server.put('/a.json', { '.sv': { increment: 1e308 } })).status).toBe(400)
      const body = '{".sv":{"increment":1e400}}'
      expect((await server.ask('PUT', '/a.json', { body })).status).toBe(400)
      expect(await server.read('/a.json')).toBe('1e+308')
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
      for (const value of [
        'now',
        { increment: 'x' },
        { increment: 1, x: 1 },
        { add: 1 },
        null,
        5,
        [],
      ]) {
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
