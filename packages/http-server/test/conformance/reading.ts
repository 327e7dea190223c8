import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { Answer, StartServer } from './fixture.ts'

export function describeReading(start: StartServer): void {
  describe('GET and HEAD', () => {
    test('GET answers the compact JSON of the value, with the headers of every answer', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 'x', list: [1, 2] })
      const answer = await server.get('/a.json')
      expect([answer.status, answer.text]).toEqual([200, '{"b":"x","list":[1,2]}'])
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-cache',
        'access-control-allow-origin': '*',
        'content-length': '22',
      })
      expect(answer.headers).not.toHaveProperty('etag')
    })

    test('GET answers text beyond ASCII as UTF-8, with its length in bytes', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 'é€😀')
      const answer = await server.get('/a.json')
      expect(answer.text).toBe('"é€😀"')
      expect(answer.headers['content-length']).toBe('11')
    })

    test('GET renders arrays by the keys of the children', async () => {
      await using server = await Fixture.open(start)
      for (const [keys, rendered] of [
        ['0', '[1]'],
        ['0 1', '[1,1]'],
        ['1', '[null,1]'],
        ['2', '{"2":1}'],
        ['0 1 5', '[1,1,null,null,null,1]'],
        ['0 1 6', '{"0":1,"1":1,"6":1}'],
        ['00 01', '{"00":1,"01":1}'],
        ['-1 0', '{"-1":1,"0":1}'],
        ['0 a', '{"0":1,"a":1}'],
      ] as const) {
        const stored = Object.fromEntries(keys.split(' ').map((key) => [key, 1]))
        await server.put('/a.json', { b: stored })
        expect([keys, await server.read('/a/b.json')]).toEqual([keys, rendered])
        expect([keys, await server.read('/a.json')]).toEqual([keys, `{"b":${rendered}}`])
      }
    })

    test('GET answers members in key order: integers by number, then the others', async () => {
      await using server = await Fixture.open(start)
      const keys = ['-2147483648', '-1', '1', '01', '2', '10', '2147483647', '2147483648', 'B', 'a']
      await server.ask('PUT', '/a.json', {
        body: `{${keys
          .toReversed()
          .map((key) => `"${key}":1`)
          .join(',')}}`,
      })
      expect(await server.read('/a.json')).toBe(`{${keys.map((key) => `"${key}":1`).join(',')}}`)
    })

    test('HEAD answers what GET does, without the body', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      for (const path of [
        '/a.json',
        '/a.json?print=pretty',
        '/none.json',
        '/none',
        '/a.json?print=silent',
      ]) {
        const got = await server.get(path, { 'X-Firebase-ETag': 'true' })
        const head = await server.ask('HEAD', path, { headers: { 'X-Firebase-ETag': 'true' } })
        expect([path, head.status, head.text]).toEqual([path, got.status, ''])
        expect(aboutValue(head.headers)).toEqual(aboutValue(got.headers))
      }
    })

    test('HEAD of a large value answers without reading it all', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 'x'.repeat(1_000_000))
      const answer = await server.ask('HEAD', '/a.json')
      expect([answer.status, answer.text]).toEqual([200, ''])
      expect((await server.get('/a.json')).text).toHaveLength(1_000_002)
    })

    test('GET answers the whole, whatever Range says', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 'x'.repeat(100_000))
      await server.put('/b.json', 'abc')
      for (const path of ['/a.json', '/b.json']) {
        const { status, headers, text } = await server.get(path, { Range: 'bytes=0-3' })
        expect([path, status, text]).toEqual([path, 200, await server.read(path)])
        expect(headers).not.toHaveProperty('accept-ranges')
      }
    })

    test('GET of a large value answers all of it', async () => {
      await using server = await Fixture.open(start)
      const value = Array.from({ length: 30_000 }, (_, id) => ({ id, name: `é number ${id}` }))
      await server.put('/list.json', value)
      expect(await server.read('/list.json')).toBe(JSON.stringify(value))
    })
  })

  describe('print', () => {
    test('pretty lays objects and arrays out in lines', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { text: 'a:{"b"},\\', list: [1, [true]], none: null })
      expect((await server.get('/a.json?print=pretty')).text).toBe(
        [
          '{',
          '  "list" : [',
          '    1,',
          '    [',
          '      true',
          '    ]',
          '  ],',
          String.raw`  "text" : "a:{\"b\"},\\"`,
          '}',
          '',
        ].join('\n'),
      )
      expect((await server.get('/a/text.json?print=pretty')).text).toMatch(/^".*"\n$/)
    })

    test('pretty applies to every method that answers a value', async () => {
      await using server = await Fixture.open(start)
      const pretty = '{\n  "b" : 1\n}\n'
      expect((await server.put('/a.json?print=pretty', { b: 1 })).text).toBe(pretty)
      expect((await server.patch('/a.json?print=pretty', { b: 1 })).text).toBe(pretty)
      const pushed = await server.ask('POST', '/l.json?print=pretty', { body: '1' })
      expect(pushed.text).toMatch(/^\{\n {2}"name" : "[\w-]{20}"\n\}\n$/)
    })

    test('silent answers 204 without a body, to every method', async () => {
      await using server = await Fixture.open(start)
      const asked = [
        await server.put('/a.json?print=silent', { b: 1 }),
        await server.patch('/a.json?print=silent', { c: 1 }),
        await server.ask('POST', '/a.json?print=silent', { body: '1' }),
        await server.get('/a.json?print=silent'),
        await server.ask('DELETE', '/a/b.json?print=silent'),
      ]
      for (const answer of asked) {
        expect([answer.status, answer.text]).toEqual([204, ''])
        expect(answer.headers).not.toHaveProperty('content-length')
        expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*' })
      }
      expect(JSON.parse(await server.read('/a.json'))).toMatchObject({ c: 1 })
    })

    test('silent leaves errors as they are', async () => {
      await using server = await Fixture.open(start)
      expect((await server.get('/none?print=silent')).status).toBe(404)
      const answer = await server.ask('PUT', '/a.json?print=silent', { body: '{' })
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('"error" : ')
    })

    test('an unknown value is ignored', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect(await server.read('/a.json?print=loud')).toBe('{"b":1}')
    })
  })

  describe('format and priorities', () => {
    test('format=export shows priorities and no arrays', async () => {
      await using server = await Fixture.open(start)
      const value = { '.priority': 3, list: [1], leaf: { '.value': 'x', '.priority': 'p' } }
      const put = await server.put('/a.json', value)
      expect(put.text).toBe('{"leaf":"x","list":[1]}')
      expect(await server.read('/a.json')).toBe('{"leaf":"x","list":[1]}')
      expect(JSON.parse(await server.read('/a.json?format=export'))).toEqual({
        ...value,
        list: { 0: 1 },
      })
    })

    test('.priority is read, written and cleared by itself', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect(await server.read('/a/.priority.json')).toBe('null')
      expect((await server.put('/a/.priority.json', 'high')).text).toBe('"high"')
      expect(await server.read('/a/.priority.json')).toBe('"high"')
      expect((await server.ask('DELETE', '/a/.priority.json')).text).toBe('null')
      expect(await server.read('/a.json?format=export')).toBe('{"b":1}')
    })

    test('a .value alone is that value, and a priority that is not given is cleared', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { '.value': 1, '.priority': 2 })
      expect((await server.put('/a.json', { '.value': 3 })).text).toBe('3')
      expect(await server.read('/a.json?format=export')).toBe('3')
      await server.put('/a.json', { b: 1, '.priority': 2 })
      await server.put('/a.json', { b: 1 })
      expect(await server.read('/a/.priority.json')).toBe('null')
    })

    test('a priority of nothing is not stored', async () => {
      await using server = await Fixture.open(start)
      const put = await server.put('/a/.priority.json', 1, { 'X-Firebase-ETag': 'true' })
      expect([put.status, put.text, put.headers['etag']]).toEqual([200, 'null', 'null_etag'])
      expect((await server.put('/a.json', { '.priority': 1 })).text).toBe('null')
      expect((await server.patch('/.json', { 'a/.priority': 1 })).status).toBe(200)
      expect(await server.read('/a/.priority.json')).toBe('null')
      await server.put('/a.json', 5)
      expect(await server.read('/a.json?format=export')).toBe('5')
    })

    test('a priority has no children and no priority', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { '.value': 1, '.priority': 2 })
      for (const path of ['/a/.priority/b.json', '/a/.priority/.priority.json', '/.priority/a']) {
        expect([path, (await server.get(path)).status]).toEqual([path, 400])
      }
      expect((await server.patch('/a/.priority.json', { b: 1 })).status).toBe(400)
      expect(await server.read('/a/.priority.json?shallow=true')).toBe('2')
      expect(await server.read('/a/.priority')).toBe('2')
      expect((await server.get('/none/.priority')).text).toBe(
        errorText('Nothing at /none/.priority'),
      )
    })

    test('a priority is a number or a string', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      for (const priority of [true, { x: 1 }, [1], ['x'.repeat(200_000)]]) {
        expect((await server.put('/a/.priority.json', priority)).status).toBe(400)
        const answer = await server.put('/a.json', { '.value': 1, '.priority': priority })
        expect(answer.status).toBe(400)
      }
      expect(await server.read('/a.json?format=export')).toBe('1')
    })

    test('another format is refused', async () => {
      await using server = await Fixture.open(start)
      expect((await server.get('/a.json?format=xml')).status).toBe(400)
    })
  })

  describe('timeout', () => {
    test('is a time that a read does not take', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      for (const timeout of ['900000ms', '10s', '0.5min', '15min']) {
        expect(await server.read(`/a.json?timeout=${timeout}`)).toBe('1')
        expect((await server.get(`/.json?shallow=true&timeout=${timeout}`)).text).toBe('{"a":true}')
      }
    })

    test('of another form, of nothing and of more than 15 minutes is refused', async () => {
      await using server = await Fixture.open(start)
      for (const timeout of ['', '10', '1h', '0s', '-1s', '16min', '900001ms', '1e3ms', ' 1s']) {
        const { status, text } = await server.get(`/a.json?timeout=${encodeURIComponent(timeout)}`)
        expect([timeout, status, text.includes('Invalid timeout')]).toEqual([timeout, 400, true])
      }
    })
  })

  describe('shallow', () => {
    test('lists the names of the children, a leaf as itself, nothing as null', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: { c: 1 }, 10: 1, 9: { x: 1 } })
      expect(await server.read('/a.json?shallow=true')).toBe('{"9":true,"10":true,"b":true}')
      expect(await server.read('/a/b/c.json?shallow=true')).toBe('1')
      expect(await server.read('/none.json?shallow=true')).toBe('null')
      expect((await server.get('/none?shallow=true')).status).toBe(404)
    })

    test('is an object also where the value is an array', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', [1, 2])
      expect(await server.read('/a.json?shallow=true')).toBe('{"0":true,"1":true}')
    })

    test('combines with print=pretty', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect(await server.read('/a.json?shallow=true&print=pretty')).toBe('{\n  "b" : true\n}\n')
    })

    test('takes limitToFirst and startAfter, in key order', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { 2: 1, 10: 1, 'b c': 1, d: 1 })
      const list = '/a.json?shallow=true'
      expect(await server.read(`${list}&limitToFirst=2`)).toBe('{"2":true,"10":true}')
      expect(await server.read(`${list}&startAfter=10&limitToFirst=1`)).toBe('{"b c":true}')
      expect(await server.read(`${list}&startAfter=b%20c`)).toBe('{"d":true}')
      expect(await server.read(`${list}&startAfter=b+c`)).toBe('{"d":true}')
      expect(await server.read(`${list}&startAfter=d`)).toBe('{}')
    })

    test('refuses to begin behind what is no key', async () => {
      await using server = await Fixture.open(start)
      for (const key of ['a.b', 'a%2Fb', '%24', '%00', 'x'.repeat(769)]) {
        const answer = await server.get(`/a.json?shallow=true&startAfter=${key}`)
        expect(answer.status).toBe(400)
        expect(answer.text).toContain('Invalid key')
      }
    })

    test('refuses a limit that is no positive integer', async () => {
      await using server = await Fixture.open(start)
      const list = '/a.json?shallow=true&limitToFirst='
      for (const limit of ['x', '1.5']) {
        const answer = await server.get(list + limit)
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText('limitToFirst must be an integer'),
        ])
      }
      for (const limit of ['0', '-1', '']) {
        const answer = await server.get(list + limit)
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText('limitToFirst must be positive'),
        ])
      }
    })

    test('does not mix with other query parameters or ETags', async () => {
      await using server = await Fixture.open(start)
      for (const parameter of [
        'orderBy="$key"',
        'limitToLast=1',
        'startAt=1',
        'endAt=1',
        'equalTo=1',
      ]) {
        const answer = await server.get(`/a.json?shallow=true&${encodeURI(parameter)}`)
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText("Mixing 'shallow' and querying parameters is not supported"),
        ])
      }
      for (const header of ['X-Firebase-ETag', 'If-None-Match']) {
        const answer = await server.get('/a.json?shallow=true', { [header]: 'true' })
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText("Mixing 'shallow' and etag requests is not supported"),
        ])
      }
    })

    test('shallow=false is as absent', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect(await server.read('/a.json?shallow=false')).toBe('{"b":1}')
    })

    test('lists more names than one block holds', async () => {
      await using server = await Fixture.open(start)
      const names = Array.from(
        { length: 20_000 },
        (_, index) => `name ${String(index).padStart(6, '0')}`,
      )
      await server.put('/a.json', Object.fromEntries(names.map((name) => [name, 1])))
      const listed = JSON.parse(await server.read('/a.json?shallow=true')) as object
      expect(Object.keys(listed)).toEqual(names)
    })
  })
}

/** The headers without those about the moment and the connection. */
function aboutValue(headers: Answer['headers']): Answer['headers'] {
  return { ...headers, date: '', connection: '', 'keep-alive': '' }
}
