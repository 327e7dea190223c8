import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const wantsEtag = { 'X-Firebase-ETag': 'true' }

export function describeConditions(start: StartServer): void {
  describe('ETags', () => {
    test('come only when they are asked for, unquoted and readable by scripts', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect((await server.get('/a.json')).headers).not.toHaveProperty('etag')
      const { headers } = await server.get('/a.json', wantsEtag)
      expect(headers['etag']).toMatch(/^[\w+/=]{28}$/)
      expect(headers['access-control-expose-headers']).toBe('ETag')
    })

    test('come for true in any case, and for nothing else', async () => {
      await using server = await Fixture.open(start)
      for (const [asked, comes] of [
        ['TRUE', true],
        ['false', false],
        ['1', false],
        ['', false],
      ] as const) {
        const { headers } = await server.get('/a.json', { 'X-Firebase-ETag': asked })
        expect([asked, 'etag' in headers]).toEqual([asked, comes])
      }
    })

    test('are equal for equal data, differ for other data, and see priorities', async () => {
      await using server = await Fixture.open(start)
      const tags: unknown[] = []
      for (const value of [{ b: 1, c: 2 }, { c: 2, b: 1 }, { b: 1 }, { b: 1, '.priority': 1 }]) {
        await server.put('/a.json', value)
        tags.push((await server.get('/a.json', wantsEtag)).headers['etag'])
      }
      expect(tags[0]).toBe(tags[1])
      expect(new Set(tags).size).toBe(3)
    })

    test('are null_etag where nothing is', async () => {
      await using server = await Fixture.open(start)
      expect((await server.get('/a.json', wantsEtag)).headers['etag']).toBe('null_etag')
      expect((await server.get('/a', wantsEtag)).headers['etag']).toBe('null_etag')
      expect((await server.ask('DELETE', '/a.json', { headers: wantsEtag })).headers['etag']).toBe(
        'null_etag',
      )
    })

    test('of PUT and POST are those of the new data', async () => {
      await using server = await Fixture.open(start)
      const put = await server.put('/a.json', { b: [1], at: { '.sv': 'timestamp' } }, wantsEtag)
      expect((await server.get('/a.json', wantsEtag)).headers['etag']).toBe(put.headers['etag'])
      const post = await server.ask('POST', '/l.json', { body: '{"x":1}', headers: wantsEtag })
      const { name } = JSON.parse(post.text) as { name: string }
      const { headers } = await server.get(`/l/${name}.json`, wantsEtag)
      expect(headers['etag']).toBe(post.headers['etag'])
    })

    test('of a large PUT are those of the new data', async () => {
      await using server = await Fixture.open(start)
      const value = Array.from({ length: 20_000 }, (_, index) => ({ index }))
      const put = await server.put('/a.json', value, wantsEtag)
      expect((await server.get('/a.json', wantsEtag)).headers['etag']).toBe(put.headers['etag'])
    })

    test('come with print=silent', async () => {
      await using server = await Fixture.open(start)
      const put = await server.put('/a.json?print=silent', 1, wantsEtag)
      const got = await server.get('/a.json?print=silent', wantsEtag)
      expect([put.status, got.status]).toEqual([204, 204])
      expect(got.headers['etag']).toBe(put.headers['etag'])
    })

    test('of PATCH are refused', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.patch('/a.json', { b: 1 }, wantsEtag)
      expect([answer.status, answer.text]).toEqual([
        400,
        errorText('ETag requests are not supported for PATCH'),
      ])
      expect(await server.read('/a.json')).toBe('null')
    })
  })

  describe('If-None-Match', () => {
    test('answers 304 without a body while the data is the same', async () => {
      await using server = await Fixture.open(start)
      const { headers } = await server.put('/a.json', { b: 1 }, wantsEtag)
      const etag = String(headers['etag'])
      for (const tag of [etag, `"${etag}"`]) {
        const answer = await server.get('/a.json', { 'If-None-Match': tag })
        expect([answer.status, answer.text, answer.headers['etag']]).toEqual([304, '', etag])
      }
    })

    test('answers the data and its ETag when it is other', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      const { headers } = await server.get('/a.json', wantsEtag)
      const etag = String(headers['etag'])
      for (const tag of ['old', '*', `old, ${etag}`, `W/"${etag}"`, '""']) {
        const answer = await server.get('/a.json', { 'If-None-Match': tag })
        expect([answer.status, answer.text]).toEqual([200, '{"b":1}'])
        expect(answer.headers['etag']).toBe(etag)
      }
    })

    test('holds for HEAD, nothing there, priorities and either surface', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { '.value': 1, '.priority': 2 })
      for (const path of ['/a.json', '/a', '/a/.priority.json', '/none.json']) {
        const { headers } = await server.get(path, wantsEtag)
        for (const method of ['GET', 'HEAD']) {
          const answer = await server.ask(method, path, {
            headers: { 'If-None-Match': String(headers['etag']) },
          })
          expect([path, method, answer.status, answer.text]).toEqual([path, method, 304, ''])
        }
      }
    })
  })

  describe('If-None-Match of a write', () => {
    test('lets a PUT with an asterisk through only where nothing is', async () => {
      await using server = await Fixture.open(start)
      const create = { 'If-None-Match': '*' }
      expect((await server.put('/a.json', 1, create)).status).toBe(200)
      const answer = await server.put('/a.json', 2, create)
      expect([answer.status, answer.text]).toEqual([412, '1'])
      expect(answer.headers['etag']).toMatch(/^[\w+/=]{28}$/)
      expect(await server.read('/a.json')).toBe('1')
    })

    test('is refused with another value or method, and writes nothing', async () => {
      await using server = await Fixture.open(start)
      for (const [method, tag] of [
        ['PUT', 'old'],
        ['PUT', '"*"'],
        ['POST', '*'],
        ['PATCH', '*'],
        ['DELETE', 'old'],
      ] as const) {
        const answer = await server.ask(method, '/a.json', {
          headers: { 'If-None-Match': tag },
          ...(method === 'DELETE' ? {} : { body: '{"b":1}' }),
        })
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText(`if-none-match is not supported for ${method}`),
        ])
      }
      const both = { 'If-None-Match': '*', 'if-match': 'null_etag' }
      expect((await server.put('/a.json', 1, both)).status).toBe(400)
      expect(await server.read('/a.json')).toBe('null')
    })
  })

  describe('if-match', () => {
    test('lets PUT and DELETE through while the data is the same', async () => {
      await using server = await Fixture.open(start)
      const first = await server.put('/a.json', 1, wantsEtag)
      const second = await server.put('/a.json', 2, {
        ...wantsEtag,
        'if-match': String(first.headers['etag']),
      })
      expect([second.status, second.text]).toEqual([200, '2'])
      const third = await server.ask('DELETE', '/a.json', {
        headers: { 'if-match': `"${String(second.headers['etag'])}"` },
      })
      expect([third.status, third.text]).toEqual([200, 'null'])
      expect(third.headers).not.toHaveProperty('etag')
    })

    test('answers 412 with what is there instead', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: [1] })
      const { headers } = await server.get('/a.json', wantsEtag)
      for (const answer of [
        await server.put('/a.json', 2, { 'if-match': 'old' }),
        await server.ask('DELETE', '/a.json', { headers: { 'if-match': '*' } }),
        await server.put('/a.json?print=silent', 2, { 'if-match': 'null_etag' }),
      ]) {
        expect([answer.status, answer.text]).toEqual([412, '{"b":[1]}'])
        expect(answer.headers['etag']).toBe(headers['etag'])
        expect(answer.headers['access-control-allow-origin']).toBe('*')
      }
      expect(await server.read('/a.json')).toBe('{"b":[1]}')
    })

    test('with null_etag writes only where nothing is', async () => {
      await using server = await Fixture.open(start)
      const create = { 'if-match': 'null_etag' }
      expect((await server.put('/a.json', 1, create)).status).toBe(200)
      const answer = await server.put('/a.json', 2, create)
      expect([answer.status, answer.text]).toEqual([412, '1'])
      const gone = await server.put('/none.json', 2, { 'if-match': 'old' })
      expect([gone.status, gone.text, gone.headers['etag']]).toEqual([412, 'null', 'null_etag'])
    })

    test('is looked at when the body and the path are right', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const headers = { 'if-match': 'old' }
      for (const body of ['{', '', '{"b.c":1}', '{".sv":"x"}']) {
        expect((await server.ask('PUT', '/a.json', { body, headers })).status).toBe(400)
      }
      expect((await server.ask('PUT', '/a.b.json', { body: '1', headers })).status).toBe(400)
      expect((await server.ask('DELETE', '/a.json?writeSizeLimit=x', { headers })).status).toBe(400)
      expect((await server.put('/a.json', 1, headers)).status).toBe(412)
    })

    test('counts the priority of what is there', async () => {
      await using server = await Fixture.open(start)
      const { headers } = await server.put('/a.json', 1, wantsEtag)
      const etag = String(headers['etag'])
      await server.put('/a/.priority.json', 5)
      const answer = await server.put('/a.json?format=export', 2, { 'if-match': etag })
      expect([answer.status, answer.text]).toEqual([412, '{".value":1,".priority":5}'])
      const own = await server.get('/a/.priority.json', wantsEtag)
      const cleared = await server.ask('DELETE', '/a/.priority.json', {
        headers: { 'if-match': String(own.headers['etag']) },
      })
      expect([cleared.status, cleared.text]).toEqual([200, 'null'])
      expect((await server.put('/a.json', 2, { 'if-match': etag })).text).toBe('2')
    })

    test('holds for a large body too', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const answer = await server.put('/a.json', 'x'.repeat(200_000), { 'if-match': 'old' })
      expect([answer.status, answer.text]).toEqual([412, '1'])
      expect(await server.read('/a.json')).toBe('1')
    })

    test('lets one of many writers at a time through', async () => {
      await using server = await Fixture.open(start)
      await server.put('/n.json', 0)
      const add = async (): Promise<void> => {
        let { text, headers } = await server.get('/n.json', wantsEtag)
        for (;;) {
          const answer = await server.put('/n.json', Number(text) + 1, {
            'if-match': String(headers['etag']),
          })
          if (answer.status === 200) return
          expect(answer.status).toBe(412)
          ;({ text, headers } = answer)
        }
      }
      await Promise.all(Array.from({ length: 20 }, add))
      expect(await server.read('/n.json')).toBe('20')
    })

    test('is refused for GET, POST and PATCH', async () => {
      await using server = await Fixture.open(start)
      for (const method of ['GET', 'POST', 'PATCH']) {
        const body = method === 'GET' ? {} : { body: '{"b":1}' }
        const answer = await server.ask(method, '/a.json', {
          headers: { 'if-match': 'x' },
          ...body,
        })
        expect([answer.status, answer.text]).toEqual([
          400,
          errorText(`if-match is not supported for ${method}`),
        ])
      }
      expect(await server.read('/a.json')).toBe('null')
    })
  })
}
