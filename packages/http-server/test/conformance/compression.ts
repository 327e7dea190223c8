import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Fixture } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const gzip = { 'Accept-Encoding': 'gzip' }
const brotli = { 'Accept-Encoding': 'gzip, deflate, br' }

const people = Array.from({ length: 50 }, (_, id) => ({ id, name: `Näme ${id}` }))
const peopleText = JSON.stringify(people)
// Several blocks, with repetition within and across them, and some that does not compress.
const large = Array.from({ length: 30_000 }, (_, id) => ({ id, name: `é ${(id * 7919) % 1009}` }))
const largeText = JSON.stringify(large)

export function describeCompression(start: StartServer): void {
  const open = async (options = {}): Promise<Fixture> => {
    const server = await Fixture.open(start, options)
    await server.put('/people.json', people)
    await server.ask('PUT', '/large.json?print=silent', { body: largeText })
    return server
  }

  describe('compression', () => {
    test('is what the client takes, br before gzip', async () => {
      await using server = await open()
      const br = await server.bytes('/people.json', brotli)
      expect(br.headers).toMatchObject({
        'content-encoding': 'br',
        'content-type': 'application/json; charset=utf-8',
        'content-length': String(br.body.length),
        vary: 'Accept-Encoding',
      })
      expect(brotliDecompressSync(br.body).toString()).toBe(peopleText)
      const gz = await server.bytes('/people.json', gzip)
      expect(gz.headers['content-encoding']).toBe('gzip')
      expect(gunzipSync(gz.body).toString()).toBe(peopleText)
      expect(gz.body.length).toBeLessThan(peopleText.length / 2)
    })

    test('follows the weights of Accept-Encoding', async () => {
      await using server = await open()
      for (const [accepted, coding] of [
        ['br;q=0.5, gzip', 'gzip'],
        ['gzip;q=0.8, br;q=0.8', 'br'],
        ['gzip ; q=0.2, br; q=0', 'gzip'],
        ['*', 'br'],
        ['*;q=0.1, br;q=0', 'gzip'],
        ['BR', 'br'],
        ['x-gzip', 'gzip'],
        ['identity', undefined],
        ['identity, gzip;q=0.5', undefined],
        ['identity;q=0.5, gzip', 'gzip'],
        ['gzip;q=0', undefined],
        ['gzip;q=x', undefined],
        ['gzip;q=2, br;q=-1', undefined],
        ['gzip;q=', undefined],
        ['br;level=1;q=0.1, gzip;q=0.2', 'gzip'],
        ['identity;q=0, *', 'br'],
        [', ,gzip,', 'gzip'],
        [`${'zstd, '.repeat(1000)}gzip`, 'gzip'],
        ['deflate, zstd', undefined],
        ['', undefined],
      ] as const) {
        const { headers } = await server.bytes('/people.json', { 'Accept-Encoding': accepted })
        expect([accepted, headers['content-encoding']]).toEqual([accepted, coding])
        expect(headers['vary']).toBe('Accept-Encoding')
      }
    })

    test('of an answer in blocks is gzip, in one stream', async () => {
      await using server = await open()
      for (const path of ['/large.json', '/large', '/large.json?print=pretty', '/.json']) {
        const plain = await server.bytes(path)
        expect(plain.headers['content-encoding']).toBeUndefined()
        const { headers, body } = await server.bytes(path, brotli)
        expect(headers['content-encoding']).toBe('gzip')
        expect(gunzipSync(body).equals(plain.body)).toBe(true)
        expect(body.length).toBeLessThan(plain.body.length / 3)
      }
      const { headers, body } = await server.bytes('/large.json', { 'Accept-Encoding': 'br' })
      expect(headers['content-encoding']).toBeUndefined()
      expect(body.toString()).toBe(largeText)
    })

    test('works with clients as they are', async () => {
      await using server = await open()
      if (server.server.tls !== undefined) return
      const url = `http://127.0.0.1:${server.port}`
      expect(await (await fetch(`${url}/people.json`)).json()).toEqual(people)
      expect(await (await fetch(`${url}/large.json`)).json()).toEqual(large)
    })

    test('leaves small answers, errors and answers to writes as they are', async () => {
      await using server = await open()
      const small = await server.get('/people/1.json', brotli)
      expect(small.text).toBe('{"id":1,"name":"Näme 1"}')
      expect(small.headers).not.toHaveProperty('vary')
      const path = `/${'x'.repeat(700)}/${'y'.repeat(700)}`
      const missing = await server.get(path, brotli)
      expect([missing.status, missing.headers['content-encoding']]).toEqual([404, undefined])
      const put = await server.put('/people.json', people, brotli)
      expect([put.text, put.headers['content-encoding']]).toEqual([peopleText, undefined])
    })

    test('goes with ETags, which are those of the value', async () => {
      await using server = await open()
      const asked = { ...brotli, 'X-Firebase-ETag': 'true' }
      const plain = await server.get('/people.json', { 'X-Firebase-ETag': 'true' })
      const { headers } = await server.bytes('/people.json', asked)
      expect(headers['content-encoding']).toBe('br')
      expect(headers['etag']).toBe(plain.headers['etag'])
      const same = await server.get('/people.json', {
        ...brotli,
        'If-None-Match': String(headers['etag']),
      })
      expect([same.status, same.text, same.headers['vary']]).toEqual([304, '', 'Accept-Encoding'])
      expect(same.headers).not.toHaveProperty('content-encoding')
    })

    test('goes with HEAD, callback and download', async () => {
      await using server = await open()
      for (const path of ['/people.json', '/large.json']) {
        const got = await server.bytes(path, brotli)
        const head = await server.ask('HEAD', path, { headers: brotli })
        for (const name of ['content-encoding', 'content-length', 'vary']) {
          expect([name, head.headers[name]]).toEqual([name, got.headers[name]])
        }
      }
      const { headers, body } = await server.bytes('/people.json?callback=f&download=p.js', brotli)
      expect(headers).toMatchObject({
        'content-encoding': 'br',
        'content-type': 'application/javascript; charset=utf-8',
        'content-disposition': 'attachment; filename="p.js"',
      })
      expect(brotliDecompressSync(body).toString()).toBe(`/**/f(${peopleText});`)
    })

    test('begins at compressFromBytes, and never where that is Infinity', async () => {
      {
        await using server = await open({ compressFromBytes: Infinity })
        for (const path of ['/people.json', '/large.json']) {
          const { headers } = await server.bytes(path, brotli)
          expect(headers['content-encoding']).toBeUndefined()
          expect(headers['vary']).toBeUndefined()
        }
      }
      await using server = await Fixture.open(start, { compressFromBytes: 100 })
      for (const [length, coding] of [
        [97, undefined],
        [98, 'br'],
      ] as const) {
        await server.put('/a.json', 'x'.repeat(length))
        const { headers } = await server.bytes('/a.json', brotli)
        expect([length, headers['content-encoding']]).toEqual([length, coding])
      }
    })

    test('is left out where it would make an answer longer', async () => {
      await using server = await Fixture.open(start, { compressFromBytes: 0 })
      await server.put('/a.json', 1)
      const { headers, body } = await server.bytes('/a.json', brotli)
      expect([headers['content-encoding'], body.toString()]).toEqual([undefined, '1'])
      expect(headers['vary']).toBe('Accept-Encoding')
    })
  })
}
