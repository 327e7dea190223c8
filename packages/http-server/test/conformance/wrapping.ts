import { describe, expect, test } from 'vitest'
import { Fixture } from './fixture.ts'
import type { StartServer } from './fixture.ts'

export function describeWrapping(start: StartServer): void {
  describe('callback', () => {
    test('makes a script of the value, which no browser takes for anything else', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      const answer = await server.get('/a.json?callback=got')
      expect([answer.status, answer.text]).toEqual([200, '/**/got({"b":1});'])
      expect(answer.headers).toMatchObject({
        'content-type': 'application/javascript; charset=utf-8',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-cache',
        'access-control-allow-origin': '*',
        'content-length': '17',
      })
    })

    test('combines with print=pretty, shallow, ETags and nothing there', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      expect(await server.read('/a.json?callback=f&print=pretty')).toBe('/**/f({\n  "b" : 1\n}\n);')
      expect(await server.read('/a.json?callback=f&shallow=true')).toBe('/**/f({"b":true});')
      expect(await server.read('/none.json?callback=f')).toBe('/**/f(null);')
      expect((await server.get('/a.json?callback=f&print=silent')).status).toBe(204)
      const { headers } = await server.get('/a.json?callback=f', { 'X-Firebase-ETag': 'true' })
      expect(headers['etag']).toMatch(/^[\w+/=]{28}$/)
    })

    test('wraps a large value too', async () => {
      await using server = await Fixture.open(start)
      const value = Array.from({ length: 20_000 }, (_, id) => ({ id }))
      await server.put('/list.json', value)
      expect(await server.read('/list.json?callback=f')).toBe(`/**/f(${JSON.stringify(value)});`)
      const head = await server.ask('HEAD', '/list.json?callback=f')
      expect(head.headers['content-type']).toBe('application/javascript; charset=utf-8')
    })

    test('has to be the name of a function', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      for (const name of ['f', '_', '$', 'a.b.c', 'angular.callbacks._0', 'jQuery17_123']) {
        expect(await server.read(`/a.json?callback=${name}`)).toBe(`/**/${name}(1);`)
      }
      for (const name of ['', '1a', 'a.', '.a', 'a..b', 'a b', 'a()', 'a;b', 'é', 'a[0]', '<b>']) {
        const { status, text } = await server.get(`/a.json?callback=${encodeURIComponent(name)}`)
        expect([name, status, text.includes('Invalid callback')]).toEqual([name, 400, true])
      }
    })

    test('leaves errors as they are', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.get('/none?callback=f')
      expect(answer.status).toBe(404)
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(answer.text).toContain('"error" : "Nothing at /none"')
    })

    test('is of no meaning to a write', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/a.json?callback=(&download=x', 1)).text).toBe('1')
    })
  })

  describe('download', () => {
    test('names the file that a browser saves, and changes nothing else', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      const answer = await server.get('/a.json?download=backup.json')
      expect([answer.status, answer.text]).toEqual([200, '{"b":1}'])
      expect(answer.headers).toMatchObject({
        'content-disposition': 'attachment; filename="backup.json"',
        'content-type': 'application/json; charset=utf-8',
      })
    })

    test('takes out of a name what could end it', async () => {
      await using server = await Fixture.open(start)
      for (const [name, cleaned] of [
        ['a"b.json', 'ab.json'],
        ['a\r\nX-Evil: 1', 'aX-Evil: 1'],
        ['../../etc/passwd', '....etcpasswd'],
        [String.raw`c:\x\u0000`, 'c:xu0000'],
        ['', ''],
        ['x'.repeat(1000), 'x'.repeat(255)],
      ] as const) {
        const { headers } = await server.get(`/a.json?download=${encodeURIComponent(name)}`)
        expect(headers['content-disposition']).toBe(`attachment; filename="${cleaned}"`)
        expect(headers).not.toHaveProperty('x-evil')
      }
    })

    test('gives a name beyond ASCII in two forms', async () => {
      await using server = await Fixture.open(start)
      const name = encodeURIComponent("Größe 😀 (1)'s.json")
      const { headers } = await server.get(`/a.json?download=${name}`)
      expect(headers['content-disposition']).toBe(
        `attachment; filename="Gr__e _ (1)'s.json"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%F0%9F%98%80%20%281%29%27s.json`,
      )
    })

    test('combines with callback, and with HEAD', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const answer = await server.get('/a.json?download=a.js&callback=f')
      expect(answer.text).toBe('/**/f(1);')
      expect(answer.headers['content-disposition']).toBe('attachment; filename="a.js"')
      const head = await server.ask('HEAD', '/a.json?download=a.js')
      expect(head.headers['content-disposition']).toBe('attachment; filename="a.js"')
    })
  })
}
