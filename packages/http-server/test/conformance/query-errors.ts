import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const noOrder = 'orderBy must be defined when other query parameters are defined'
const badOrder = 'orderBy must be a valid JSON encoded path'
const badBound = 'Constraint index field must be a JSON primitive'
const badKey = 'Constraint key field must be a valid key name'
const mixedEqual =
  'equalTo cannot be specified in addition to startAfter, startAt, endAt, or endBefore'

export function describeQueryErrors(start: StartServer): void {
  const refused = async (cases: readonly (readonly [query: string, text: string])[]) => {
    await using server = await Fixture.open(start)
    await server.put('/a.json', { b: 1 })
    for (const [query, text] of cases) {
      const answer = await server.get(`/a.json?${query}`)
      expect([query, answer.status, answer.text]).toEqual([query, 400, errorText(text)])
    }
  }

  describe('wrong queries', () => {
    test('limits and bounds need an order', () =>
      refused([
        ['limitToFirst=1', noOrder],
        ['limitToLast=1', noOrder],
        ['startAt=1', noOrder],
        ['startAfter=1', noOrder],
        ['endAt=1', noOrder],
        ['endBefore=1', noOrder],
        ['equalTo=1', noOrder],
      ]))

    test('an order is a path or a word, as JSON', () =>
      refused([
        ['orderBy=height', badOrder],
        ['orderBy=', badOrder],
        ['orderBy=1', badOrder],
        ['orderBy=null', badOrder],
        ['orderBy=["a"]', badOrder],
        ['orderBy=""', badOrder],
        ['orderBy="/"', badOrder],
        ['orderBy="a.b"', badOrder],
        ['orderBy="$other"', badOrder],
        ['orderBy="a[0]"', badOrder],
        ['orderBy=$key', badOrder],
      ]))

    test('a bound is a JSON primitive', () =>
      refused(
        ['startAt', 'startAfter', 'endAt', 'endBefore', 'equalTo'].flatMap((name) =>
          ['x', '', '{}', '[1]', '"', '1e999', '{"a":1},"b"'].map(
            (bound) =>
              [`orderBy="$priority"&${name}=${encodeURIComponent(bound)}`, badBound] as const,
          ),
        ),
      ))

    test('the key of a bound is a key', () =>
      refused([
        ['orderBy="$priority"&startAt=1,b', badKey],
        ['orderBy="$priority"&startAt=1,', badKey],
        ['orderBy="$priority"&endAt=1,2', badKey],
        ['orderBy="$priority"&equalTo=1,"a.b"', badKey],
        ['orderBy="$priority"&equalTo=1,"[MIN_NAME]"', badKey],
        ['orderBy="$priority"&startAt=1,""', badKey],
        ['orderBy="$priority"&startAt=1,"a","b"', badKey],
      ]))

    test('by key, a bound is a string and nothing else', () =>
      refused([
        ['orderBy="$key"&startAt=1', 'Provided key index type is invalid, must be string'],
        ['orderBy="$key"&equalTo=null', 'Provided key index type is invalid, must be string'],
        ['orderBy="$key"&endAt="a","b"', badKey],
      ]))

    test('by priority, a bound is no boolean', () =>
      refused([
        [
          'orderBy="$priority"&startAt=true',
          'Provided priority index type is invalid, must be string or number',
        ],
      ]))

    test('limits are positive integers, and one of them', () =>
      refused([
        ...['limitToFirst', 'limitToLast'].flatMap((name) => [
          [`orderBy="$key"&${name}=x`, `${name} must be an integer`] as const,
          [`orderBy="$key"&${name}=1.5`, `${name} must be an integer`] as const,
          [`orderBy="$key"&${name}="2"`, `${name} must be an integer`] as const,
          [`orderBy="$key"&${name}=0`, `${name} must be positive`] as const,
          [`orderBy="$key"&${name}=-3`, `${name} must be positive`] as const,
          [`orderBy="$key"&${name}=`, `${name} must be positive`] as const,
        ]),
        [
          'orderBy="$key"&limitToFirst=1&limitToLast=1',
          'Only one of limitToFirst and limitToLast may be specified',
        ],
      ]))

    test('bounds that contradict each other are refused', () =>
      refused([
        ['orderBy="$key"&equalTo="a"&startAt="a"', mixedEqual],
        ['orderBy="$key"&equalTo="a"&startAfter="a"', mixedEqual],
        ['orderBy="$key"&equalTo="a"&endAt="a"', mixedEqual],
        ['orderBy="$key"&equalTo="a"&endBefore="a"', mixedEqual],
        [
          'orderBy="$key"&startAt="a"&startAfter="a"',
          'Only one of startAt and startAfter may be specified',
        ],
        [
          'orderBy="$key"&endAt="a"&endBefore="a"',
          'Only one of endAt and endBefore may be specified',
        ],
      ]))

    test('a parameter that is given twice is refused', () =>
      refused(
        ['orderBy', 'limitToFirst', 'startAt', 'equalTo', 'where', 'cursor'].map(
          (name) =>
            [`${name}="$key"&${name}="$key"`, `${name} may only be specified once`] as const,
        ),
      ))

    test('where is an object of comparisons', async () => {
      await using server = await Fixture.open(start)
      for (const where of [
        'x',
        '[]',
        '1',
        'null',
        '{"a":[1]}',
        '{"a":{"=":1}}',
        '{"a":{}}',
        '{"":1}',
        '{"a":{"==":{}}}',
        '{"a.b":1}',
        '{"$key":1}',
      ]) {
        const { status } = await server.get(`/a.json?where=${encodeURIComponent(where)}`)
        expect([where, status]).toEqual([where, 400])
      }
    })

    test('a cursor is one that this query has given', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', { b: 1, c: 2, d: 3 })
      const by = '/a.json?orderBy="$key"&limitToFirst=1'
      const { cursor } = JSON.parse(await server.read(`${by}&cursor=`)) as { cursor: string }
      expect((await server.get(`${by}&cursor=${cursor}`)).status).toBe(200)
      for (const path of [
        `${by}&cursor=x`,
        `${by}&startAt="b"&cursor=${cursor}`,
        `${by}&reverse=true&cursor=${cursor}`,
        `/a.json?orderBy="$key"&limitToLast=1&cursor=`,
        `${by}&count=true&cursor=`,
      ]) {
        expect([path, (await server.get(path)).status]).toEqual([path, 400])
      }
    })

    test('a cursor into which somebody has put something else is refused, or one like others', async () => {
      await using server = await Fixture.open(start, { indexes: { '/a': ['$value'] } })
      await server.put('/a.json', { b: 1, c: 2, d: 3 })
      for (const order of ['$key', '$value', '$priority']) {
        const by = `/a.json?orderBy="${order}"&limitToFirst=1&cursor=`
        const { cursor } = JSON.parse(await server.read(by)) as { cursor: string }
        const [digest] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string]
        for (const key of ['b', 'none', '', '\ud83d', 'a/b', '__proto__', 5]) {
          for (const value of [1, 'x', '\ud83d', true, null, {}, [1], { begins: 'a' }, 'b']) {
            const forged = Buffer.from(JSON.stringify([digest, key, value])).toString('base64url')
            const { status } = await server.get(by + forged)
            expect([order, key, value, [200, 400].includes(status)]).toEqual([
              order,
              key,
              value,
              true,
            ])
          }
        }
      }
    })

    test('ETags and shallow do not go with a query', () =>
      (async () => {
        await using server = await Fixture.open(start)
        for (const header of ['X-Firebase-ETag', 'If-None-Match']) {
          const answer = await server.get('/a.json?orderBy="$key"', { [header]: 'true' })
          expect([answer.status, answer.text]).toEqual([
            400,
            errorText('Mixing querying parameters and etag requests is not supported'),
          ])
        }
        for (const parameter of ['where={}', 'count=true', 'cursor=', 'reverse=true']) {
          const answer = await server.get(`/a.json?shallow=true&${parameter}`)
          expect([parameter, answer.text]).toEqual([
            parameter,
            errorText("Mixing 'shallow' and querying parameters is not supported"),
          ])
        }
      })())

    test('an order that needs an index is refused where there is none', async () => {
      await using server = await Fixture.open(start, { indexes: { '/dinosaurs': ['weight'] } })
      await server.put('/dinosaurs.json', { rex: { height: 4, weight: 9 } })
      for (const [path, index, place] of [
        ['/dinosaurs.json?orderBy="height"', 'height', '/dinosaurs'],
        ['/dinosaurs?orderBy="height"&limitToFirst=1', 'height', '/dinosaurs'],
        ['/dinosaurs.json?orderBy="$value"', '.value', '/dinosaurs'],
        ['/dinosaurs/rex.json?orderBy="weight"', 'weight', '/dinosaurs/rex'],
        ['/.json?orderBy="a/b"', 'a/b', '/'],
        ['/none.json?orderBy="a"&count=true', 'a', '/none'],
      ] as const) {
        const answer = await server.get(path)
        expect([path, answer.status, answer.text]).toEqual([
          path,
          400,
          errorText(
            `Index not defined, add ".indexOn": "${index}", for path "${place}", to the rules`,
          ),
        ])
      }
      expect((await server.get('/dinosaurs.json?orderBy="weight"')).status).toBe(200)
    })

    test('a condition that no index finds anything by says what would', async () => {
      await using server = await Fixture.open(start, { indexes: { '/dinosaurs': ['weight'] } })
      await server.put('/dinosaurs.json', { rex: { height: 4, weight: 9 }, ty: { weight: 7 } })
      const by = (where: string, order = ''): string =>
        `/dinosaurs.json?where=${encodeURIComponent(where)}${order}`
      for (const [where, text] of [
        ['{"weight":{"!=":9}}', 'No index finds what is not equal at path "/dinosaurs": order by'],
        ['{"height":{"!=":9}}', 'No index finds what is not equal at path "/dinosaurs": order by'],
        ['{"weight":{"!=":9},"height":4}', 'add ".indexOn": "height"'],
      ] as const) {
        const answer = await server.get(by(where))
        expect([where, answer.status]).toEqual([where, 400])
        expect(JSON.parse(answer.text)).toEqual({ error: expect.stringContaining(text) as string })
      }
      const found = '{"ty":{"weight":7}}'
      expect(await server.read(by('{"weight":{"!=":9}}', '&orderBy="weight"'))).toBe(found)
      expect(await server.read(by('{"weight":{"!=":9,"<":8}}'))).toBe(found)
    })

    test('parameters of a query mean nothing to a write', async () => {
      await using server = await Fixture.open(start)
      expect((await server.put('/a.json?orderBy=x&limitToFirst=0', 1)).status).toBe(200)
    })
  })
}
