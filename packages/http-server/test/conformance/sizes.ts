import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const tooBig = errorText(
  'WRITE_TOO_BIG: Data to write exceeds the maximum size that can be modified with a single request.',
)
const tooMuch = errorText(
  'Data requested exceeds the maximum size that can be accessed with a single request.',
)

// More than the mebibyte of `tiny`, in rows of its own.
const large = Array.from({ length: 200 }, () => 'x'.repeat(6000))
const largeText = JSON.stringify(large)

export function describeSizes(start: StartServer): void {
  describe('writeSizeLimit', () => {
    test('lets through what is within the limit, and unlimited anything', async () => {
      await using server = await Fixture.open(start)
      for (const limit of ['tiny', 'small', 'medium', 'large', 'unlimited']) {
        expect((await server.put(`/a.json?writeSizeLimit=${limit}`, { b: 1 })).status).toBe(200)
      }
      for (const limit of ['small', 'unlimited']) {
        const path = `/a.json?print=silent&writeSizeLimit=${limit}`
        expect((await server.ask('PUT', path, { body: largeText })).status).toBe(204)
      }
    })

    test('refuses a larger body of PUT, POST and PATCH, and writes nothing', async () => {
      await using server = await Fixture.open(start)
      for (const [method, body] of [
        ['PUT', largeText],
        ['POST', largeText],
        ['PATCH', `{"b":${largeText}}`],
      ] as const) {
        const answer = await server.ask(method, '/a.json?writeSizeLimit=tiny', { body })
        expect([method, answer.status, answer.text]).toEqual([method, 400, tooBig])
        const chunked = await server.ask(method, '/a.json?writeSizeLimit=tiny', {
          body: [Buffer.from(body.slice(0, 9)), Buffer.from(body.slice(9))],
        })
        expect([method, chunked.status, chunked.text]).toEqual([method, 400, tooBig])
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('refuses to replace or delete more than the limit', async () => {
      await using server = await Fixture.open(start)
      await server.ask('PUT', '/a/b.json?print=silent', { body: largeText })
      for (const answer of [
        await server.ask('DELETE', '/a.json?writeSizeLimit=tiny'),
        await server.put('/a/b.json?writeSizeLimit=tiny', 1),
        await server.patch('/.json?writeSizeLimit=tiny', { 'a/b': null, c: 1 }),
        await server.ask('PATCH', '/a.json?writeSizeLimit=tiny', { body: 'null' }),
      ]) {
        expect([answer.status, answer.text]).toEqual([400, tooBig])
      }
      expect(await server.read('/a/b.json')).toBe(largeText)
      expect((await server.put('/a/b/0.json?writeSizeLimit=tiny', 1)).status).toBe(200)
      expect((await server.put('/c.json?writeSizeLimit=tiny', 1)).status).toBe(200)
      expect((await server.ask('DELETE', '/a.json?writeSizeLimit=small')).text).toBe('null')
    })

    test('is not looked at again for a write that was carried out before', async () => {
      await using server = await Fixture.open(start)
      const numbered = { headers: { 'Idempotency-Key': 'sizes-1' }, body: '1' }
      expect((await server.ask('PUT', '/a.json?writeSizeLimit=tiny', numbered)).text).toBe('1')
      await server.ask('PUT', '/a.json?print=silent', { body: largeText })
      const again = await server.ask('PUT', '/a.json?writeSizeLimit=tiny', numbered)
      expect([again.status, again.text]).toEqual([200, '1'])
      const next = { ...numbered, headers: { 'Idempotency-Key': 'sizes-2' } }
      expect((await server.ask('PUT', '/a.json?writeSizeLimit=tiny', next)).text).toBe(tooBig)
      expect(await server.read('/a/0.json')).toHaveLength(6002)
    })

    test('of another name is refused', async () => {
      await using server = await Fixture.open(start)
      for (const limit of ['', 'huge', 'Tiny', '10', 'toString']) {
        const answer = await server.put(`/a.json?writeSizeLimit=${limit}`, 1)
        expect([limit, answer.status]).toEqual([limit, 400])
        expect(answer.text).toContain('Invalid writeSizeLimit')
      }
      expect(await server.read('/a.json')).toBe('null')
    })
  })

  describe('the limit of values that are held', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `name-${index}`)
    const members = JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])))

    test('refuses an update with more members', async () => {
      await using server = await Fixture.open(start, { maxHeldValues: 9999 })
      const update = await server.ask('PATCH', '/a.json', { body: members })
      expect(update.status).toBe(413)
      expect(update.text).toContain(': more than 9999 members of an update and server values')
      expect(await server.read('/.json')).toBe('null')
    })

    test('lets through as many', async () => {
      await using server = await Fixture.open(start, { maxHeldValues: 10_000 })
      expect((await server.ask('PATCH', '/a.json', { body: members })).status).toBe(200)
      expect(await server.read('/a/name-9999.json')).toBe('1')
    })
  })

  describe('the limit of an answer', () => {
    test('refuses a larger one before it begins', async () => {
      await using server = await Fixture.open(start, { maxAnswerBytes: 100_000 })
      await server.ask('PUT', '/a.json?print=silent', { body: largeText })
      await server.put('/b.json', 'x'.repeat(80_000))
      for (const path of ['/a.json', '/.json', '/a', '/a.json?callback=f&download=x']) {
        const answer = await server.get(path)
        expect([path, answer.status, answer.text]).toEqual([path, 400, tooMuch])
      }
      expect((await server.ask('HEAD', '/a.json')).status).toBe(400)
      expect(await server.read('/b.json')).toHaveLength(80_002)
      expect(await server.read('/a/3.json')).toHaveLength(6002)
      expect(JSON.parse(await server.read('/a.json?shallow=true'))).toHaveProperty('199')
    })

    test('refuses one in a single block too', async () => {
      await using server = await Fixture.open(start, { maxAnswerBytes: 100 })
      await server.put('/a.json', 'x'.repeat(98))
      expect((await server.get('/a.json')).status).toBe(200)
      await server.put('/a.json', 'x'.repeat(99))
      expect((await server.get('/a.json')).text).toBe(tooMuch)
    })
  })
}
