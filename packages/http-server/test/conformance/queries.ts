import { describe, expect, test } from 'vitest'
import { Fixture } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const indexes = { '/s': ['$value'], '/people': ['age', 'address/city'] }

const scores = { a: 3, b: 1, c: 'x', d: true, e: { z: 1 }, 10: 3, 9: 3 }

const people = {
  ada: { age: 36, address: { city: 'London' } },
  bob: { age: 17, address: { city: 'Paris' } },
  cleo: { age: 17, address: { city: 'London' } },
  dan: { address: 'unknown' },
}

interface Page {
  readonly children: readonly { readonly key: string; readonly value: unknown }[]
  readonly cursor: string | null
}

export function describeQueries(start: StartServer): void {
  const open = async (): Promise<Fixture> => {
    const server = await Fixture.open(start, { indexes })
    await server.put('/.json', { s: scores, people, leaf: 1, list: ['x', 'y', 'z'] })
    return server
  }
  const keys = async (server: Fixture, path: string, query: string): Promise<string> => {
    const { status, text } = await server.get(`${path}.json?${query}`)
    expect([query, status]).toEqual([query, 200])
    return Object.keys(JSON.parse(text) as object).join(' ')
  }

  describe('queries', () => {
    test('by value keep what lies between the bounds', async () => {
      await using server = await open()
      for (const [query, kept] of [
        ['', '9 10 a b c d e'],
        ['&startAt=3,"10"', '10 a c e'],
        ['&startAfter=3', 'c e'],
        ['&startAfter=3,"10"', 'a c e'],
        ['&endBefore=3', 'b d'],
        ['&endBefore=3,"10"', '9 b d'],
        ['&endAt=3,"9"', '9 b d'],
        ['&endAt=3', '9 10 a b d'],
        ['&equalTo=3&limitToLast=2', '10 a'],
        ['&equalTo=3,"a"', 'a'],
        ['&equalTo="x"', 'c'],
        ['&equalTo=true', 'd'],
        ['&startAt=null&limitToFirst=1', 'd'],
        ['&startAt=1&endAt=3&limitToFirst=2', '9 b'],
      ] as const) {
        expect(await keys(server, '/s', `orderBy="$value"${query}`)).toBe(kept)
      }
    })

    test('by key order integers by number, and take keys for bounds', async () => {
      await using server = await open()
      for (const [query, kept] of [
        ['&limitToFirst=2', '9 10'],
        ['&limitToLast=2', 'd e'],
        ['&startAt="a"&endAt="c"', 'a b c'],
        ['&startAfter="a"&endBefore="d"', 'b c'],
        ['&equalTo="10"', '10'],
        ['&startAfter="9"&limitToFirst=1', '10'],
      ] as const) {
        expect(await keys(server, '/s', `orderBy="$key"${query}`)).toBe(kept)
      }
    })

    test('by a child, also a deep one, put missing values first and objects last', async () => {
      await using server = await open()
      for (const [query, kept] of [
        ['orderBy="age"&limitToFirst=1', 'dan'],
        ['orderBy="age"&equalTo=null', 'dan'],
        ['orderBy="age"&equalTo=17', 'bob cleo'],
        ['orderBy="age"&startAfter=17,"bob"', 'ada cleo'],
        ['orderBy="age"&startAt=18', 'ada'],
        ['orderBy="address/city"&equalTo="London"', 'ada cleo'],
        ['orderBy="/address/city/"&endAt="London"', 'ada cleo dan'],
      ] as const) {
        expect(await keys(server, '/people', query)).toBe(kept)
      }
    })

    test('by priority need no index', async () => {
      await using server = await open()
      for (const [key, priority] of Object.entries({ ada: 2, bob: 'x', cleo: 1 })) {
        await server.put(`/people/${key}/.priority.json`, priority)
      }
      const by = 'orderBy="$priority"'
      expect(await keys(server, '/people', `${by}&limitToFirst=2`)).toBe('cleo dan')
      expect(await keys(server, '/people', `${by}&startAt=2`)).toBe('ada bob')
      expect(await keys(server, '/people', `${by}&equalTo=null`)).toBe('dan')
      expect(await server.read(`/people.json?${by}&equalTo="x"&format=export`)).toBe(
        '{"bob":{".priority":"x","address":{"city":"Paris"},"age":17}}',
      )
    })

    test('answer whole values, in key order', async () => {
      await using server = await open()
      expect(await server.read('/people.json?orderBy="age"&startAt=17&limitToLast=2')).toBe(
        '{"ada":{"address":{"city":"London"},"age":36},"cleo":{"address":{"city":"London"},"age":17}}',
      )
    })

    test('answer {} where nothing is kept, and null where nothing is', async () => {
      await using server = await open()
      const by = 'orderBy="$key"&equalTo="none"'
      expect(await server.read(`/s.json?${by}`)).toBe('{}')
      expect(await server.read(`/s?${by}`)).toBe('{}')
      expect(await server.read(`/none.json?${by}`)).toBe('null')
      expect((await server.get(`/none?${by}`)).status).toBe(404)
      expect(await server.read(`/leaf.json?${by}`)).toBe('null')
    })

    test('render arrays by the keys that are kept', async () => {
      await using server = await open()
      const by = '/list.json?orderBy="$key"'
      expect(await server.read(`${by}&limitToFirst=2`)).toBe('["x","y"]')
      expect(await server.read(`${by}&startAt="1"`)).toBe('[null,"y","z"]')
      expect(await server.read(`${by}&startAt="2"`)).toBe('{"2":"z"}')
      expect(await server.read(`${by}&limitToFirst=2&format=export`)).toBe('{"0":"x","1":"y"}')
    })

    test('may be percent-encoded or not', async () => {
      await using server = await open()
      const kept = '{"10":3,"a":3}'
      for (const query of [
        'orderBy="$value"&startAt=3,"10"&endAt=3',
        'orderBy=%22%24value%22&startAt=3%2C%2210%22&endAt=3',
        `orderBy=${encodeURIComponent('"$value"')}&startAt=+3+,+"10"&endAt=3`,
      ]) {
        expect(await server.read(`/s.json?${query}`)).toBe(kept)
      }
    })

    test('split a bound at the first comma outside of its string', async () => {
      await using server = await open()
      await server.put('/s.json', { k: 'a,b', l: 'a,b', 'm,n': 'a,b', o: 'a",b' })
      expect(await keys(server, '/s', 'orderBy="$value"&equalTo="a,b"')).toBe('k l m,n')
      expect(await keys(server, '/s', 'orderBy="$value"&equalTo="a,b","m,n"')).toBe('m,n')
      const quoted = encodeURIComponent(String.raw`"a\",b"`)
      expect(await keys(server, '/s', `orderBy="$value"&equalTo=${quoted}`)).toBe('o')
    })

    test('understand the names before and behind all keys, which client libraries send', async () => {
      await using server = await open()
      const by = 'orderBy="$value"'
      expect(await keys(server, '/s', `${by}&startAfter=3,"[MAX_NAME]"`)).toBe('c e')
      expect(await keys(server, '/s', `${by}&endBefore=3,"[MIN_NAME]"`)).toBe('b d')
      expect(await keys(server, '/s', `${by}&startAt=3,"[MIN_NAME]"&endAt=3,"[MAX_NAME]"`)).toBe(
        '9 10 a',
      )
    })

    test('take for a key what every object of JavaScript has', async () => {
      await using server = await open()
      await server.put('/s.json', { a: 3, constructor: 3, toString: 3, z: 3 })
      const by = 'orderBy="$value"'
      expect(await keys(server, '/s', `${by}&startAt=3,"constructor"`)).toBe(
        'constructor toString z',
      )
      expect(await keys(server, '/s', `${by}&endAt=3,"toString"`)).toBe('a constructor toString')
    })

    test('combine with print, callback, download and timeout', async () => {
      await using server = await open()
      const by = '/s.json?orderBy="$key"&equalTo="a"'
      expect(await server.read(`${by}&print=pretty&timeout=10s`)).toBe('{\n  "a" : 3\n}\n')
      expect((await server.get(`${by}&print=silent`)).status).toBe(204)
      const answer = await server.get(`${by}&callback=f&download=s.json`)
      expect(answer.text).toBe('/**/f({"a":3});')
      expect(answer.headers['content-disposition']).toBe('attachment; filename="s.json"')
      const head = await server.ask('HEAD', by)
      expect([head.status, head.headers['content-length']]).toEqual([200, '7'])
    })

    test('see what was written before them', async () => {
      await using server = await open()
      const by = 'orderBy="age"&equalTo=17'
      await server.put('/people/bob/age.json', 18)
      expect(await keys(server, '/people', by)).toBe('cleo')
      await server.patch('/people.json', { eve: { age: 17 }, cleo: null })
      expect(await keys(server, '/people', by)).toBe('eve')
    })

    test('answer more than one block holds', async () => {
      await using server = await open()
      const large = Object.fromEntries(
        Array.from({ length: 6000 }, (_, id) => [`p${String(id).padStart(5, '0')}`, { age: id }]),
      )
      await server.ask('PUT', '/people.json?print=silent', { body: JSON.stringify(large) })
      const query = '/people.json?orderBy="age"&startAt=1000'
      const answer = JSON.parse(await server.read(query)) as Record<string, unknown>
      expect(Object.keys(answer)).toHaveLength(5000)
      expect(answer).toEqual(
        Object.fromEntries(Object.entries(large).filter(([, { age }]) => age >= 1000)),
      )
    })
  })

  describe('queries of our own', () => {
    test('reverse=true takes the largest first', async () => {
      await using server = await open()
      const by = 'orderBy="age"&reverse=true'
      expect(await keys(server, '/people', `${by}&limitToFirst=1`)).toBe('ada')
      expect(await keys(server, '/people', `${by}&limitToLast=1`)).toBe('dan')
      expect(await keys(server, '/people', 'orderBy="age"&reverse=no&limitToFirst=1')).toBe('dan')
    })

    test('count=true answers how many there are', async () => {
      await using server = await open()
      for (const [path, count] of [
        ['/people.json?count=true', '4'],
        ['/people.json?orderBy="age"&startAt=17&count=true', '3'],
        ['/people.json?orderBy="age"&limitToLast=2&count=true', '2'],
        ['/people?where={"age":17}&count=true', '2'],
        ['/none.json?count=true', '0'],
        ['/none?count=true', '0'],
        ['/leaf.json?count=true', '0'],
      ] as const) {
        const answer = await server.get(path)
        expect([path, answer.status, answer.text]).toEqual([path, 200, count])
      }
      expect(JSON.parse(await server.read('/leaf.json?count=false'))).toBe(1)
    })

    test('where={...} keeps what meets all of it', async () => {
      await using server = await open()
      for (const [where, kept] of [
        ['{"age":17}', 'bob cleo'],
        ['{"age":17,"address/city":"London"}', 'cleo'],
        ['{"age":{">=":17,"<":36}}', 'bob cleo'],
        ['{"age":null}', 'dan'],
        ['{"age":{"!=":null},"address/city":{"!=":"London"}}', 'bob'],
        ['{"$key":{">":"b"},"age":{">":0}}', 'bob cleo'],
      ] as const) {
        const query = `where=${encodeURIComponent(where)}`
        expect([where, await keys(server, '/people', `orderBy="age"&${query}`)]).toEqual([
          where,
          kept,
        ])
      }
      const query = '/people.json?where={"address/city":"London"}&orderBy="age"&limitToLast=1'
      expect(Object.keys(JSON.parse(await server.read(query)) as object)).toEqual(['ada'])
    })

    test('cursor= answers pages in the order of the query', async () => {
      await using server = await open()
      const found: string[] = []
      let cursor: string | null = ''
      const lengths: number[] = []
      while (cursor !== null) {
        const path = `/people.json?orderBy="age"&reverse=true&limitToFirst=3&cursor=${cursor}`
        const page = JSON.parse(await server.read(path)) as Page
        lengths.push(page.children.length)
        for (const { key, value } of page.children) {
          found.push(key)
          expect(value).toEqual(people[key as keyof typeof people])
        }
        ;({ cursor } = page)
      }
      expect(found).toEqual(['ada', 'cleo', 'bob', 'dan'])
      expect(lengths).toEqual([3, 1])
    })

    test('a cursor stays where it is when its child is deleted', async () => {
      await using server = await open()
      const path = '/s.json?orderBy="$value"&limitToFirst=2&cursor='
      const first = JSON.parse(await server.read(path)) as Page
      expect(first.children.map(({ key }) => key)).toEqual(['d', 'b'])
      await server.ask('DELETE', '/s/b.json')
      const second = JSON.parse(await server.read(path + String(first.cursor))) as Page
      expect(second.children.map(({ key }) => key)).toEqual(['9', '10'])
    })

    test('a page has 100 children where the request does not say how many', async () => {
      await using server = await open()
      const many = Object.fromEntries(Array.from({ length: 150 }, (_, id) => [id, { id }]))
      await server.put('/many.json', many)
      const page = JSON.parse(await server.read('/many.json?cursor=')) as Page
      expect(page.children).toHaveLength(100)
      expect(page.children[99]).toEqual({ key: '99', value: { id: 99 } })
      const rest = JSON.parse(await server.read(`/many.json?cursor=${page.cursor}`)) as Page
      expect([rest.children.length, rest.cursor]).toEqual([50, null])
    })

    test('count and pages look through as many as there are', async () => {
      await using server = await open()
      const many = Object.fromEntries(
        Array.from({ length: 3000 }, (_, id) => [`p${id}`, { age: id % 2, address: { city: id } }]),
      )
      await server.put('/people.json', many)
      const by = `/people.json?where=${encodeURIComponent('{"age":1,"address/city":{">":2990}}')}`
      for (const order of ['', '&orderBy="age"', '&orderBy="$priority"', '&reverse=true']) {
        expect(await server.read(`${by}${order}&count=true`)).toBe('5')
        expect(Object.keys(JSON.parse(await server.read(by + order)) as object)).toHaveLength(5)
        const page = JSON.parse(await server.read(`${by}${order}&cursor=`)) as Page
        expect([page.children.length, page.cursor]).toEqual([5, null])
      }
      const half = `${by}&orderBy="$key"&limitToFirst=3&cursor=`
      const first = JSON.parse(await server.read(half)) as Page
      const rest = JSON.parse(await server.read(half + String(first.cursor))) as Page
      const found = [...first.children, ...rest.children].map(({ key }) => key)
      expect(found).toEqual(['p2991', 'p2993', 'p2995', 'p2997', 'p2999'])
      expect(rest.cursor).toBe(null)
      const whole = JSON.parse(
        await server.read('/people.json?orderBy="$key"&limitToFirst=99999&cursor='),
      ) as Page
      expect([whole.children.length, whole.cursor]).toEqual([3000, null])
    })

    test('a page of nothing is empty, of large children whole', async () => {
      await using server = await open()
      expect(await server.read('/s.json?orderBy="$value"&equalTo=99&cursor=')).toBe(
        '{"children":[],"cursor":null}',
      )
      expect(await server.read('/none.json?cursor=')).toBe('null')
      const large = { b: 'é'.repeat(50_000), c: Array.from({ length: 9000 }, (_, id) => `é ${id}`) }
      await server.put('/large.json', large)
      const page = JSON.parse(await server.read('/large.json?cursor=')) as Page
      expect(page.children).toEqual(Object.entries(large).map(([key, value]) => ({ key, value })))
    })
  })
}
