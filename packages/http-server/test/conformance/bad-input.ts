import { describe, expect, test } from 'vitest'
import { Fixture, deepPath, deepValue, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const unparseable = errorText(
  "Invalid data; couldn't parse JSON object, array, or value. Perhaps you're using invalid characters in your key names.",
)

const invalidKey = (place: string): string =>
  errorText(
    `Invalid data; couldn't parse key beginning at ${place}. Key value can't be empty or contain $ # [ ] / or .`,
  )
const controlInKey = (place: string): string =>
  errorText(
    `Invalid data; couldn't parse key beginning at ${place}. Key value can't contain ASCII control characters`,
  )
const isControl = (key: string): boolean => key === '\u0001' || key === '\u007f'

// Each refusal has to come for a body that is parsed in one piece and for one that is staged. The
// filler makes the second of the first, and stands where it doesn't change what is wrong.
const filler = ' '.repeat(100_000)

export function describeBadInput(start: StartServer): void {
  describe('bad bodies', () => {
    test('broken JSON is refused', async () => {
      await using server = await Fixture.open(start)
      for (const body of [
        '{',
        '{"a":1',
        '{"a":1,}',
        '[1,]',
        "{'a':1}",
        '{a:1}',
        'tru',
        '1 2',
        '"',
        '01',
        '+1',
        'NaN',
        '\ufeff1',
        '\u0000',
      ]) {
        for (const padded of [body, filler + body]) {
          const answer = await server.ask('PUT', '/a.json', { body: padded })
          expect([body, answer.status, answer.text]).toEqual([body, 400, unparseable])
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('bytes that are not UTF-8 are refused', async () => {
      await using server = await Fixture.open(start)
      for (const bytes of ['22ff22', '22c322', '22eda08022', '22c0af22']) {
        for (const padding of ['', filler]) {
          const body = [Buffer.from(padding), Buffer.from(bytes, 'hex')]
          const answer = await server.ask('PUT', '/a.json', { body })
          expect([bytes, answer.status]).toEqual([bytes, 400])
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a key that no tree holds is refused with its place, at every depth', async () => {
      await using server = await Fixture.open(start)
      for (const key of ['', 'a.b', '$', '#x', '[', ']', 'a/b', '\u0001', '\u007f']) {
        const json = JSON.stringify({ [key]: 1 })
        for (const [body, place] of [
          [json, '1:2'],
          [`{"a":\n  {"b": ${json}}}`, '2:10'],
          [`[1,${json}]`, '1:5'],
          [`{"a":\n${filler}${json}}`, `2:${filler.length + 2}`],
        ] as const) {
          const answer = await server.ask('PUT', '/a.json', { body })
          const text = isControl(key) ? controlInKey(place) : invalidKey(place)
          expect([key, answer.status, answer.text]).toEqual([key, 400, text])
        }
      }
      const answer = await server.patch('/a.json', { 'b/c.d': 1 })
      expect([answer.status, answer.text]).toEqual([400, invalidKey('1:2')])
      expect(await server.read('/.json')).toBe('null')
    })

    test('a key of more than 768 bytes is refused', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/a.json', { ['é'.repeat(384)]: 1 })).status).toBe(200)
      for (const padding of ['', filler]) {
        const body = `${padding}{"b":{"${'é'.repeat(384)}x":1}}`
        const answer = await server.ask('PUT', '/b.json', { body })
        expect(answer.status).toBe(400)
        expect(answer.text).toContain('768 bytes')
      }
      expect(await server.read('/b.json')).toBe('null')
    })

    test('33 levels are refused, counted from the root', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/.json', deepValue(32))).status).toBe(200)
      expect((await server.put(`${deepPath(30)}.json`, deepValue(2))).status).toBe(200)
      for (const padding of ['', filler]) {
        for (const [path, levels] of [
          ['/.json', 33],
          [`${deepPath(30)}.json`, 3],
        ] as const) {
          const body = padding + JSON.stringify(deepValue(levels))
          const answer = await server.ask('PUT', path, { body })
          expect(answer.status).toBe(400)
          expect(answer.text).toContain('32')
        }
      }
      expect((await server.ask('POST', `${deepPath(32)}.json`, { body: '1' })).status).toBe(400)
      expect((await server.patch(`${deepPath(31)}.json`, { 'a/b': 1 })).status).toBe(400)
      expect(await server.read('/.json')).toBe(JSON.stringify(deepValue(32)))
    })

    test('nesting without end is refused before anything recurses', async () => {
      await using server = await Fixture.open(start)
      for (const open of ['[', '{"a":']) {
        for (const levels of [10_000, 200_000]) {
          const answer = await server.ask('PUT', '/a.json', { body: open.repeat(levels) })
          expect(answer.status).toBe(400)
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a string of more than 10 MB is refused', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.put('/a.json', { b: 'x'.repeat(11 * 1024 * 1024) })
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('10485760 bytes')
      expect(await server.read('/.json')).toBe('null')
    })

    test('a string of 10 MB is taken', async () => {
      await using server = await Fixture.open(start)
      const text = 'x'.repeat(10 * 1024 * 1024)
      expect((await server.put('/a.json?print=silent', text)).status).toBe(204)
      expect(await server.read('/a.json')).toHaveLength(text.length + 2)
    })

    test('a number that a double does not hold is refused, instead of stored as another', async () => {
      await using server = await Fixture.open(start)
      for (const number of ['1e400', '-1e400', '9007199254740993', '123456789012345678901']) {
        for (const body of [number, `{"a":[${number}]}`, `{"a":${filler}${number}}`]) {
          const answer = await server.ask('PUT', '/a.json', { body })
          expect([number, answer.status]).toEqual([number, 400])
          expect(answer.text).toMatch(/1:\d+/)
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('half of a surrogate pair is refused, in a value and in a key', async () => {
      await using server = await Fixture.open(start)
      for (const body of [String.raw`"\ud83d"`, String.raw`"\ude00x"`, String.raw`{"\ud83d":1}`]) {
        for (const padding of ['', filler]) {
          const answer = await server.ask('PUT', '/a.json', { body: padding + body })
          expect([body, answer.status]).toEqual([body, 400])
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('all of that is refused in an update and a push as well, and nothing beside it is stored', async () => {
      await using server = await Fixture.open(start)
      for (const bad of [
        '{',
        'tru',
        '1e400',
        '9007199254740993',
        String.raw`"\ud83d"`,
        String.raw`{"\ud83d":1}`,
        '{"a.b":1}',
        '[{"":1}]',
        '{".sv":"x"}',
        '{".value":1,"b":2}',
        '{".value":1,".priority":true}',
        `{"${'k'.repeat(769)}":1}`,
        JSON.stringify(deepValue(32)),
        `"${'x'.repeat(11 * 1024 * 1024)}"`,
      ]) {
        for (const padding of ['', filler]) {
          const body = `${padding}{"b":1,"c":${bad},"d":2}`
          for (const method of ['PATCH', 'POST']) {
            const { status } = await server.ask(method, '/a.json', { body })
            expect([method, bad.slice(0, 50), status]).toEqual([method, bad.slice(0, 50), 400])
          }
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a broken name of an update is refused, small or large', async () => {
      await using server = await Fixture.open(start)
      for (const name of ['', '/', 'a.b', 'a/$', 'a/.value', '.sv', '.priority/a', 'a/b.c/d']) {
        for (const padding of ['', filler]) {
          const body = `${padding}{"z":1,${JSON.stringify(name)}:1}`
          const { status, text } = await server.ask('PATCH', '/a.json', { body })
          const place = `1:${padding.length + 8}`
          expect([name, status, text]).toEqual([name, 400, invalidKey(place)])
        }
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('of duplicate keys the last one holds', async () => {
      await using server = await Fixture.open(start)
      for (const padding of ['', filler]) {
        const body = `${padding}{"a":{"x":1},"b":1,"a":{"y":2}}`
        expect((await server.ask('PUT', '/d.json', { body })).text).toBe('{"a":{"y":2},"b":1}')
        expect(await server.read('/d.json')).toBe('{"a":{"y":2},"b":1}')
      }
    })

    test('__proto__ and constructor are ordinary keys', async () => {
      await using server = await Fixture.open(start)
      const json =
        '{"__proto__":{"polluted":true},"constructor":{"prototype":1},"hasOwnProperty":2}'
      for (const padding of ['', filler]) {
        const answer = await server.ask('PUT', '/p.json', { body: padding + json })
        expect([answer.status, answer.text]).toEqual([200, json])
        expect(await server.read('/p.json')).toBe(json)
        expect(await server.read('/p/__proto__/polluted.json')).toBe('true')
        expect(await server.read('/p/constructor.json')).toBe('{"prototype":1}')
        expect(await server.read('/toString.json')).toBe('null')
      }
      expect((await server.ask('PATCH', '/q.json', { body: json })).status).toBe(200)
      expect(await server.read('/q.json')).toBe(json)
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    })

    test('a compressed body is refused', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.put('/a.json', 1, { 'Content-Encoding': 'gzip' })
      expect([answer.status, answer.text]).toEqual([
        415,
        errorText("Content-Encoding 'gzip' is not supported"),
      ])
      expect((await server.put('/a.json', 1, { 'Content-Encoding': 'Identity' })).status).toBe(200)
    })

    test('a value and its children in one object are refused', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/a.json', { '.value': 1, b: 2 })).status).toBe(400)
      expect((await server.put('/a.json', { '.value': { b: 2 } })).status).toBe(400)
      expect(await server.read('/.json')).toBe('null')
    })

    test('a broken query string is refused', async () => {
      await using server = await Fixture.open(start)
      expect((await server.get('/a.json?print=%zz')).status).toBe(400)
      expect((await server.put('/a.json?%ff=1', 1)).status).toBe(400)
    })
  })
}
