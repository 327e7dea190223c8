import { describe, expect, test } from 'vitest'
import { Fixture, deepPath, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const invalidToken = errorText('Invalid path: Invalid token in path')
const tooLong = errorText('Invalid path: Path is too long')

export function describeAddressing(start: StartServer): void {
  describe('addressing', () => {
    test('a path with .json and one without name the same place', async () => {
      await using server = await Fixture.open(start)
      await server.put('/users/ada.json', { name: 'Ada' })
      expect(await server.read('/users/ada')).toBe('{"name":"Ada"}')
      expect(await server.read('/users/ada.json')).toBe('{"name":"Ada"}')
    })

    test('the root is / and /.json', async () => {
      await using server = await Fixture.open(start)
      await server.put('/.json', { a: 1 })
      expect(await server.read('/')).toBe('{"a":1}')
      expect(await server.read('/.json')).toBe('{"a":1}')
    })

    test('slashes before .json, at the end and doubled mean nothing', async () => {
      await using server = await Fixture.open(start)
      await server.put('/users/jack/name/.json', 'Jack')
      expect(await server.read('//users//jack/name.json')).toBe('"Jack"')
      expect(await server.read('/users/jack/name/')).toBe('"Jack"')
    })

    test('segments are percent-decoded once, and a plus sign is one', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a%20b/%C3%A9%F0%9F%98%80/x+y/%2525.json', 1)
      expect(JSON.parse(await server.read('/.json'))).toEqual({
        'a b': { 'é😀': { 'x+y': { '%25': 1 } } },
      })
    })

    test('characters that no key holds are refused in a path, also encoded', async () => {
      await using server = await Fixture.open(start)
      for (const segment of [
        '..',
        'a.b',
        '%2E',
        '$',
        '%23',
        '[',
        '%5D',
        'a%2Fb',
        '%5C',
        '%00',
        '%7F',
      ]) {
        const answer = await server.ask('PUT', `/x/${segment}.json`, { body: '1' })
        expect([segment, answer.status, answer.text]).toEqual([segment, 400, invalidToken])
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('broken percent-encoding and bad UTF-8 are refused', async () => {
      await using server = await Fixture.open(start)
      for (const segment of ['%', '%4', '%zz', '%ff', '%C3', '%ED%A0%80']) {
        const answer = await server.get(`/x/${segment}.json`)
        expect([segment, answer.status, answer.text]).toEqual([segment, 400, invalidToken])
      }
    })

    test('segments that begin with a dot are refused but for a last .priority', async () => {
      await using server = await Fixture.open(start)
      for (const path of ['/.foo.json', '/a/.value.json', '/a/.sv', '/.priority/a.json']) {
        const answer = await server.get(path)
        expect([path, answer.status, answer.text]).toEqual([path, 400, invalidToken])
      }
      expect((await server.get('/a/.priority.json')).status).toBe(200)
    })

    test('32 keys are taken and 33 are not', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put(`${deepPath(32)}.json`, 1)).status).toBe(200)
      expect(await server.read(deepPath(32))).toBe('1')
      const answer = await server.put(`${deepPath(33)}.json`, 1)
      expect([answer.status, answer.text]).toEqual([400, tooLong])
    })

    test('a key of 768 bytes is taken and one of 769 is not', async () => {
      await using server = await Fixture.open(start)
      const key = encodeURIComponent('é'.repeat(384))
      expect((await server.put(`/${key}.json`, 1)).status).toBe(200)
      expect(await server.read(`/${key}`)).toBe('1')
      const answer = await server.put(`/${key}x.json`, 1)
      expect([answer.status, answer.text]).toEqual([400, tooLong])
    })

    test('the longest path that a tree has is taken, percent-encoded', async () => {
      await using server = await Fixture.open(start)
      const path = `/${encodeURIComponent('é'.repeat(384))}`.repeat(32)
      expect((await server.put(`${path}.json`, 1)).status).toBe(200)
      expect(await server.read(path)).toBe('1')
    })

    test('a whole URL in the request line means its path', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const answer = await server.raw(
        'GET http://elsewhere:99/a.json HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n',
      )
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
      expect(answer).toMatch(/\r\n\r\n1$/)
    })

    test('a whole URL without a path means the root', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1 })
      for (const [target, value] of [
        ['http://elsewhere', '{"a":{"b":1}}'],
        ['HTTPS://elsewhere?shallow=true', '{"a":true}'],
      ] as const) {
        const answer = await server.raw(
          `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        )
        expect([target, answer.split('\r\n\r\n')[1]]).toEqual([target, value])
      }
    })

    test('a target that is neither a path nor a whole URL of a host is refused', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      for (const target of [
        '*',
        'http:///a.json',
        'http://',
        'http://user:password@x/a.json',
        'http://x#/a.json',
        'ftp://x/a.json',
        'x:80',
        'a.json',
      ]) {
        const answer = await server.raw(
          `DELETE ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        )
        expect([target, answer.slice(0, 12)]).toEqual([target, 'HTTP/1.1 400'])
      }
      expect(await server.read('/a.json')).toBe('1')
    })

    test('what is not ASCII has to be percent-encoded', async () => {
      await using server = await Fixture.open(start)
      for (const path of ['/\u00e9.json', '/\u00c3\u00a9.json', '/a.json?print=\u00e9']) {
        expect([path, (await server.ask('PUT', path, { body: '1' })).status]).toEqual([path, 400])
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('nothing is null on one surface and 404 on the other', async () => {
      await using server = await Fixture.open(start)
      const firebase = await server.get('/no/where.json')
      expect([firebase.status, firebase.text]).toEqual([200, 'null'])
      const native = await server.get('/no/where')
      expect([native.status, native.text]).toEqual([404, errorText('Nothing at /no/where')])
      expect((await server.get('/')).text).toBe(errorText('Nothing at /'))
    })

    test('.info holds nothing and takes nothing', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.get('/.info/connected.json')
      expect([answer.status, answer.text]).toEqual([200, 'null'])
      expect((await server.put('/.info/connected.json', true)).status).toBe(400)
      expect((await server.get('/.info.json')).text).toBe('null')
      expect((await server.get('/.info/connected.json?callback=f')).text).toBe('/**/f(null);')
    })

    test('a key that only begins like a place of the server is no key', async () => {
      await using server = await Fixture.open(start)
      for (const name of ['.info', '.settings', '.inspect']) {
        for (const path of [`/${name}-x.json`, `/${name}.x/a.json`, `/${name}-x`]) {
          const answer = await server.get(path)
          expect([answer.status, answer.text]).toEqual([
            400,
            errorText('Invalid path: Invalid token in path'),
          ])
        }
      }
      for (const path of ['/.settings/rules.json', '/.settings', '/.inspect.json']) {
        expect((await server.get(path)).status).toBe(501)
      }
    })

    test('ns may name any database where none is configured', async () => {
      await using server = await Fixture.open(start)
      expect((await server.get('/.json?ns=anything')).status).toBe(200)
    })

    test('ns must name the configured database', async () => {
      await using server = await Fixture.open(start, { namespace: 'shop' })
      expect((await server.get('/.json')).status).toBe(200)
      expect((await server.get('/.json?ns=shop')).status).toBe(200)
      const answer = await server.put('/.json?ns=other', 1)
      expect([answer.status, answer.text]).toEqual([404, errorText('404 Not Found')])
      expect(await server.read('/.json')).toBe('null')
    })
  })
}
