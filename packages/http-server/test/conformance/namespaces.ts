import { describe, expect, test } from 'vitest'
import { Fixture, deepPath, deepValue, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const notFound = errorText('404 Not Found')
const wantsEtag = { 'X-Firebase-ETag': 'true' }

export function describeNamespaces(start: StartServer): void {
  const open = (): Promise<Fixture> =>
    Fixture.open(start, {
      namespaces: { names: ['shop', 'blog'], default: 'shop' },
      indexes: { '/*/people': ['age'], '/*': ['$value'] },
    })

  describe('several databases', () => {
    test('are separate trees, chosen by ns', async () => {
      await using server = await open()
      await server.put('/a.json?ns=shop', 1)
      await server.put('/a/b.json?ns=blog', 2)
      expect(await server.read('/.json?ns=shop')).toBe('{"a":1}')
      expect(await server.read('/.json?ns=blog')).toBe('{"a":{"b":2}}')
      expect(await server.read('/?ns=blog')).toBe('{"a":{"b":2}}')
      expect(await server.read('/.json?shallow=true&ns=blog')).toBe('{"a":true}')
    })

    test('one that there is not is 404, whatever is asked of it', async () => {
      await using server = await open()
      for (const ns of ['other', '', 'SHOP', 'shop%2Fa', '__proto__', '.priority']) {
        for (const [method, body] of [
          ['GET', undefined],
          ['PUT', '1'],
          ['PATCH', '{"a":1}'],
          ['POST', '1'],
          ['DELETE', undefined],
        ] as const) {
          const answer = await server.ask(method, `/a.json?ns=${ns}`, body ? { body } : {})
          expect([ns, method, answer.status, answer.text]).toEqual([ns, method, 404, notFound])
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('ns counts before the host name, that before the default', async () => {
      await using server = await open()
      await server.put('/.json?ns=shop', 'shop')
      await server.put('/.json?ns=blog', 'blog')
      const read = async (path: string, host: string): Promise<string> =>
        (
          await server.raw(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
        ).split('\r\n\r\n')[1] ?? ''
      expect(await read('/.json', 'blog.example.com')).toBe('"blog"')
      expect(await read('/.json', 'BLOG.example.com:8080')).toBe('"blog"')
      expect(await read('/.json?ns=shop', 'blog.example.com')).toBe('"shop"')
      for (const host of ['www.example.com', 'blog', '127.0.0.1:80', '[::1]:80', '']) {
        expect([host, await read('/.json', host)]).toEqual([host, '"shop"'])
      }
    })

    test('a host name has no case, and names none that is not listed where there is a default', async () => {
      await using server = await Fixture.open(start, {
        namespaces: { names: ['Shop', 'Blog', 'blog'], createOnUse: true, default: 'main' },
      })
      const databases = {
        'shop.example.com': 'Shop',
        'BLOG.example.com': 'blog',
        'db.x.org': 'main',
      }
      for (const [host, ns] of Object.entries(databases)) {
        await server.put(`/.json?ns=${ns}`, host)
        const answer = await server.raw(
          `GET /.json HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        )
        expect(answer.split('\r\n\r\n')[1]).toBe(`"${host}"`)
      }
    })

    test('a host name names any where there is no default', async () => {
      await using server = await Fixture.open(start, { namespaces: { createOnUse: true } })
      await server.put('/.json?ns=new', 1)
      const answer = await server.raw(
        'GET /.json HTTP/1.1\r\nHost: new.example.com\r\nConnection: close\r\n\r\n',
      )
      expect(answer.split('\r\n\r\n')[1]).toBe('1')
    })

    test('the host name of a URL counts before that of the header', async () => {
      await using server = await open()
      await server.put('/.json?ns=shop', 'shop')
      await server.put('/.json?ns=blog', 'blog')
      const answer = await server.raw(
        'GET http://blog.example.com/.json HTTP/1.1\r\nHost: shop.x\r\nConnection: close\r\n\r\n',
      )
      expect(answer.split('\r\n\r\n')[1]).toBe('"blog"')
    })

    test('a request that names none is 404 where there is no default', async () => {
      await using server = await Fixture.open(start, { namespaces: { names: ['shop'] } })
      expect((await server.get('/.json')).text).toBe(notFound)
      expect((await server.get('/.json?ns=shop')).text).toBe('null')
    })

    test('begin on first use where that is set', async () => {
      await using server = await Fixture.open(start, { namespaces: { createOnUse: true } })
      expect((await server.get('/.json?ns=new-1')).text).toBe('null')
      await server.put('/a.json?ns=new-1', 1)
      expect(await server.read('/.json?ns=new-1')).toBe('{"a":1}')
      expect(await server.read('/.json?ns=new-2')).toBe('null')
      for (const ns of ['', '-x', 'a.b', 'a/b', 'x'.repeat(64), 'é', 'a b']) {
        const answer = await server.put(`/a.json?ns=${encodeURIComponent(ns)}`, 1)
        expect([ns, answer.status, answer.text]).toEqual([ns, 404, notFound])
      }
    })

    test('a write to a root is one to that database only', async () => {
      await using server = await open()
      await server.put('/.json?ns=blog', { keep: 1 })
      await server.put('/.json?ns=shop', { a: { b: 1 } })
      expect((await server.put('/.json?ns=shop', { c: 1 })).text).toBe('{"c":1}')
      expect((await server.put('/.priority.json?ns=shop', 5)).text).toBe('5')
      expect(await server.read('/.json?ns=shop&format=export')).toBe('{".priority":5,"c":1}')
      expect(await server.read('/.priority.json?ns=blog')).toBe('null')
      expect((await server.ask('PATCH', '/.json?ns=shop', { body: 'null' })).text).toBe('null')
      expect(await server.read('/.json?ns=shop')).toBe('null')
      await server.put('/.json?ns=shop', 'leaf')
      expect((await server.ask('DELETE', '/.json?ns=shop')).text).toBe('null')
      expect(await server.read('/.json?ns=blog')).toBe('{"keep":1}')
    })

    test('have paths of 32 keys each', async () => {
      await using server = await open()
      const deep = deepPath(32)
      expect((await server.put(`${deep}.json`, 1)).status).toBe(200)
      expect(await server.read(deep)).toBe('1')
      expect((await server.put('/.json', deepValue(32))).status).toBe(200)
      expect((await server.patch('/.json', { [deep.slice(1)]: 2, x: 'y' })).status).toBe(200)
      expect(await server.read(deep)).toBe('2')
      expect(JSON.parse(await server.read('/.json'))).toMatchObject({ x: 'y' })
      const push = await server.ask('POST', `${deepPath(31)}.json`, { body: '1' })
      expect(push.status).toBe(200)
      const large = { [deep.slice(1)]: 3, y: 'x'.repeat(200_000) }
      expect((await server.patch('/.json?print=silent', large)).status).toBe(204)
      expect(await server.read(deep)).toBe('3')
      expect((await server.put(`${deep}/k.json`, 1)).status).toBe(400)
      expect((await server.put('/.json', deepValue(33))).status).toBe(400)
      expect((await server.patch('/.json', { [`${deep.slice(1)}/k`]: 1 })).status).toBe(400)
      expect((await server.ask('POST', `${deep}.json`, { body: '1' })).status).toBe(400)
      expect((await server.put(`${deep}/.priority.json`, 1)).status).toBe(200)
      expect((await server.ask('DELETE', `${deep}.json`)).status).toBe(200)
    })

    test('tell of their own paths', async () => {
      await using server = await open()
      await server.put('/people/ada.json', { age: 1 })
      expect((await server.get('/none/x?ns=blog')).text).toBe(errorText('Nothing at /none/x'))
      expect((await server.get('/?ns=blog')).text).toBe(errorText('Nothing at /'))
      expect((await server.get('/people.json?orderBy="x"')).text).toBe(
        errorText('Index not defined, add ".indexOn": "x", for path "/people", to the rules'),
      )
      const answers = [
        await server.put('/people/.priority.json', true),
        await server.patch('/.json', { a: 1, 'a/b': 2 }),
        await server.patch('/.json', { 'a/.priority': { x: 1 } }),
        await server.put('/a.json', { '.value': 1, '.priority': [1] }),
      ]
      for (const { status, text } of answers) {
        expect([status, text.includes('shop')]).toEqual([400, false])
      }
    })

    test('have ETags and conditions', async () => {
      await using server = await open()
      const { headers } = await server.put('/a.json', { b: 1 }, wantsEtag)
      const etag = String(headers['etag'])
      expect((await server.get('/a.json', { 'If-None-Match': etag })).status).toBe(304)
      const other = await server.put('/a.json?ns=blog', 2, { 'if-match': etag })
      expect([other.status, other.text, other.headers['etag']]).toEqual([412, 'null', 'null_etag'])
      expect((await server.put('/a.json', 2, { 'if-match': etag })).text).toBe('2')
      expect((await server.put('/.json?ns=blog', 3, { 'if-match': 'null_etag' })).text).toBe('3')
    })

    test('have streams that tell of one database only', async () => {
      await using server = await open()
      const socket = server.connect()
      socket.write('GET /a.json?ns=blog HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n')
      let received = ''
      for await (const chunk of socket) {
        const before = received
        received += String(chunk)
        const has = (text: string): boolean => received.includes(text) && !before.includes(text)
        if (has('{"path":"/","data":null}')) {
          await server.put('/a.json?ns=shop', 'other')
          await server.put('/a/b.json?ns=blog', 'own')
        }
        if (has('{"path":"/b","data":"own"}') || has('{"path":"/","data":{"b":"own"}}')) break
      }
      expect(received).not.toContain('other')
    })

    test('have queries, by indexes of their own paths', async () => {
      await using server = await open()
      await server.put('/people.json', { ada: { age: 36 }, bob: { age: 17 } })
      await server.put('/people.json?ns=blog', { eve: { age: 17 } })
      const by = '/people.json?orderBy="age"&equalTo=17'
      expect(await server.read(by)).toBe('{"bob":{"age":17}}')
      expect(await server.read(`${by}&ns=blog`)).toBe('{"eve":{"age":17}}')
      await server.put('/.json', { x: 2, y: 1 })
      expect(await server.read('/.json?orderBy="$value"&limitToFirst=1')).toBe('{"y":1}')
    })
  })
}
