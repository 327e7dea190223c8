import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

export function describeSurroundings(start: StartServer): void {
  describe('errors', () => {
    test('are JSON with the headers of every answer, whatever print says', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.ask('PUT', '/a.json?print=pretty', { body: '{' })
      expect(answer.text).toBe(
        errorText(
          "Invalid data; couldn't parse JSON object, array, or value. Perhaps you're using invalid characters in your key names.",
        ),
      )
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-cache',
        'access-control-allow-origin': '*',
      })
    })

    test('and whatever else is answered may be read by scripts of other origins', async () => {
      await using server = await Fixture.open(start, { maxBodyBytes: 100, maxUrlBytes: 1000 })
      await server.put('/a.json', 1)
      const { headers } = await server.get('/a.json', { 'X-Firebase-ETag': 'true' })
      const answers = [
        await server.get('/a.json'),
        await server.get('/a.json?print=silent'),
        await server.get('/a.json', { 'If-None-Match': String(headers['etag']) }),
        await server.get('/a.b.json'),
        await server.get('/none'),
        await server.ask('TRACE', '/a.json'),
        await server.put('/a.json', 2, { 'if-match': 'old' }),
        await server.put('/a.json', 'x'.repeat(200)),
        await server.get(`/${'a'.repeat(1000)}`),
        await server.put('/a.json', 1, { 'Content-Encoding': 'gzip' }),
        await server.get('/a.json?auth=x'),
      ]
      expect(answers.map(({ status }) => status)).toEqual([
        200, 204, 304, 400, 404, 405, 412, 413, 414, 415, 501,
      ])
      for (const answer of answers) {
        expect(answer.headers).toMatchObject({
          'access-control-allow-origin': '*',
          'cache-control': 'no-cache',
        })
      }
    })

    test('another method is 405 and says which there are', async () => {
      await using server = await Fixture.open(start)
      for (const method of ['TRACE', 'COPY', 'QUERY', 'PROPFIND']) {
        const answer = await server.ask(method, '/a.json')
        expect([answer.status, answer.text]).toEqual([405, errorText('Method not allowed')])
        expect(answer.headers['allow']).toContain('PATCH')
      }
    })
  })

  describe('CORS', () => {
    test('OPTIONS allows every method and the headers that were asked for', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.ask('OPTIONS', '/any/where', {
        headers: { Origin: 'http://x', 'Access-Control-Request-Headers': 'if-match, x-my-own' },
      })
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-allow-headers': 'if-match, x-my-own',
        'access-control-max-age': '3600',
      })
      for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
        expect(answer.headers['access-control-allow-methods']).toContain(method)
      }
    })

    test('OPTIONS allows the known headers when none are asked for', async () => {
      await using server = await Fixture.open(start)
      const { headers } = await server.ask('OPTIONS', '/a.json')
      for (const name of [
        'Content-Type',
        'Authorization',
        'X-Firebase-ETag',
        'If-Match',
        'If-None-Match',
      ]) {
        expect(headers['access-control-allow-headers']).toContain(name)
      }
    })

    test('OPTIONS of the whole server is answered', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
      expect(answer).toMatch(/^HTTP\/1.1 204 /)
    })
  })

  describe('/.health', () => {
    test('answers that the server is well', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.get('/.health')
      expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}'])
      expect((await server.put('/.health', 1)).status).toBe(405)
    })
  })

  describe('what is not there yet', () => {
    test('credentials are refused, neither believed nor ignored', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const asked = [
        await server.get('/a.json?auth=token'),
        await server.put('/a.json?access_token=x', 2),
        await server.get('/a?auth_variable_override=null'),
        await server.get('/a.json', { Authorization: 'Bearer owner' }),
        await server.ask('DELETE', '/a', { headers: { Authorization: 'Basic eDp5' } }),
        await server.ask('POST', '/auth/token', { body: '{"uid":"x"}' }),
      ]
      for (const answer of asked) {
        expect(answer.status).toBe(501)
        expect(answer.text).toContain('Not implemented yet: authentication')
      }
      expect(await server.read('/.json')).toBe('{"a":1}')
    })

    test('rules and the rest are refused by name', async () => {
      await using server = await Fixture.open(start)
      const features: readonly (readonly [path: string, feature: string])[] = [
        ['/.settings/rules.json', 'rules and settings (/.settings/rules.json)'],
        ['/.inspect/databases.json', 'inspection (/.inspect/databases.json)'],
        ['/index.html', 'the dashboard (/index.html)'],
      ]
      for (const [path, feature] of features) {
        const answer = await server.get(path)
        expect([answer.status, answer.text]).toEqual([
          501,
          errorText(`Not implemented yet: ${feature}`),
        ])
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('parameters that mean nothing to a method, or to anybody, are ignored', async () => {
      await using server = await Fixture.open(start)
      await server.put('/b.json', { c: 1 })
      expect(await server.read('/b.json?Print=pretty&ORDERBY=x&Shallow=true')).toBe('{"c":1}')
      expect(await server.read('/b.json?&&=&x=y=z&print')).toBe('{"c":1}')
      expect((await server.put('/a.json?orderBy=x&disableTriggers=true', 1)).status).toBe(200)
      expect((await server.get('/a.json?ac=x&writeSizeLimit=tiny&unknown')).status).toBe(200)
    })
  })
}
