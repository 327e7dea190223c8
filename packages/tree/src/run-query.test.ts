import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { TreeError } from './errors.ts'
import { fromJson } from './from-json.ts'
import { compareKeys } from './key-order.ts'
import { parseJson } from './parse.ts'
import { checkQuery, planQuery } from './query-plan.ts'
import type { QueryBound, TreeQuery } from './query.ts'
import { runQuery } from './run-query.ts'
import { compareIndexValues } from './value-order.ts'
import type { IndexValue } from './value-order.ts'

const example = parseJson('{"a":3,"b":1,"c":"x","d":true,"e":{"z":1},"10":3,"9":3}')

function keysOf(query: TreeQuery, value = example): string[] {
  return Array.from(runQuery(value, query).entries(), ({ key }) => key)
}

function text(query: TreeQuery, value = example): string | undefined {
  const blocks = runQuery(value, query).jsonBlocks()
  return blocks && Buffer.concat([...blocks]).toString()
}

function byValue(rest: Omit<TreeQuery, 'orderBy'>): string[] {
  return keysOf({ orderBy: '$value', ...rest })
}

function equalTo(value: QueryBound['value'], key?: string): Pick<TreeQuery, 'start' | 'end'> {
  const bound = key === undefined ? { value } : { value, key }
  return { start: bound, end: bound }
}

describe('runQuery()', () => {
  test('orders by value, and equal ones by key', () => {
    expect(byValue({})).toEqual(['d', 'b', '9', '10', 'a', 'c', 'e'])
  })

  test('starts at a value and a key', () => {
    expect(byValue({ start: { value: 3, key: '10' } })).toEqual(['10', 'a', 'c', 'e'])
    expect(byValue({ start: { value: 3 } })).toEqual(['9', '10', 'a', 'c', 'e'])
    expect(byValue({ start: { value: 3, key: '0' } })).toEqual(['9', '10', 'a', 'c', 'e'])
  })

  test('starts after all with a value, or after one of them', () => {
    expect(byValue({ start: { value: 3, isExclusive: true } })).toEqual(['c', 'e'])
    expect(byValue({ start: { value: 3, key: '10', isExclusive: true } })).toEqual(['a', 'c', 'e'])
  })

  test('ends before a value, or before one child with it', () => {
    expect(byValue({ end: { value: 3, isExclusive: true } })).toEqual(['d', 'b'])
    expect(byValue({ end: { value: 3, key: '10', isExclusive: true } })).toEqual(['d', 'b', '9'])
    expect(byValue({ end: { value: 3, key: '10' } })).toEqual(['d', 'b', '9', '10'])
    expect(byValue({ end: { value: 3 } })).toEqual(['d', 'b', '9', '10', 'a'])
  })

  test('pauses while it sorts many children', () => {
    const count = 10_000
    const many = fromJson(
      Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`k${index}`, (index * 7919) % count]),
      ),
    )
    // Two of them for so many children: one where it looks at them, and one where they are in order.
    const looks = 2 * Math.floor(count / 256)
    const steps = [...runQuery(many, { orderBy: '$value' }).pageSteps()]
    expect(steps.filter((entry) => entry === undefined).length).toBeGreaterThan(looks + 10)
    const bounded = { orderBy: '$value', start: { value: 0 } }
    const blocks = [...(runQuery(many, bounded).jsonBlocks() ?? [])]
    expect(blocks.filter(({ length }) => length === 0).length).toBeGreaterThan(looks + 50)
  })

  test('compares keys with texts that are longer than keys, and plans to with short ones', () => {
    const children = fromJson({ 0: 1, '00': 1, '-1': 1, 1: 1, '000x': 1, x: 1, xy: 1 })
    const zeros = '0'.repeat(50_000)
    for (const [bound, before] of [
      [zeros, ['-1', '0', '00']],
      [`-${zeros}1`, ['-1']],
      [`${zeros}x`, ['-1', '0', '00', '1']],
      ['x'.repeat(50_000), ['-1', '0', '00', '1', '000x', 'x']],
    ] as const) {
      const where = [{ field: '$key', op: '<', value: bound }] as const
      expect(keysOf({ orderBy: '$key', end: { value: bound } }, children)).toEqual(before)
      expect(keysOf({ orderBy: '$priority', where }, children)).toEqual(before)
      const byKey = { orderBy: '$key', end: { value: bound } }
      const plans = [planQuery(byKey), planQuery({ orderBy: '$priority', where })]
      expect(
        JSON.stringify(plans.map(({ range, filters }) => [range, filters])).length,
      ).toBeLessThan(2500)
    }
  })

  test('keeps those equal to a value, and the last of them', () => {
    expect(byValue({ ...equalTo(3), limitToLast: 2 })).toEqual(['10', 'a'])
    expect(byValue({ ...equalTo(3), limitToFirst: 2 })).toEqual(['9', '10'])
    expect(byValue(equalTo(3, '10'))).toEqual(['10'])
    expect(byValue(equalTo(3, 'b'))).toEqual([])
  })

  test('orders by key', () => {
    expect(keysOf({ orderBy: '$key', limitToFirst: 2 })).toEqual(['9', '10'])
    expect(keysOf({ orderBy: '$key', start: { value: 'a' }, end: { value: 'c' } })).toEqual([
      'a',
      'b',
      'c',
    ])
    expect(keysOf({ orderBy: '$key', ...equalTo('c') })).toEqual(['c'])
    expect(keysOf({ orderBy: '$key', ...equalTo('none') })).toEqual([])
    expect(keysOf({ orderBy: '$key', start: { value: 'c' }, end: { value: 'a' } })).toEqual([])
  })

  test('takes any text for a bound by key', () => {
    expect(keysOf({ orderBy: '$key', start: { value: 'a.b' } })).toEqual(['b', 'c', 'd', 'e'])
    expect(keysOf({ orderBy: '$key', start: { value: '' } })).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('orders by a path below the children, where a missing value comes first', () => {
    const users = fromJson({
      ada: { at: { city: 'Turin' } },
      bob: { at: { city: 'Bonn' } },
      cyd: { at: 'sea' },
      dan: { at: { city: { name: 'X' } } },
      eve: 5,
    })
    expect(keysOf({ orderBy: 'at/city' }, users)).toEqual(['cyd', 'eve', 'bob', 'ada', 'dan'])
    expect(keysOf({ orderBy: 'at/city', ...equalTo(null) }, users)).toEqual(['cyd', 'eve'])
    expect(keysOf({ orderBy: '/at//city/', start: { value: 'C' } }, users)).toEqual(['ada', 'dan'])
    expect(keysOf({ orderBy: 'at', start: { value: null } }, users)).toHaveLength(5)
  })

  test('orders by priority', () => {
    const ranked = parseJson(
      '{"a":{".value":1,".priority":"p"},"b":{".value":1,".priority":10},"c":1,"d":{".priority":9,"x":1}}',
    )
    expect(keysOf({ orderBy: '$priority' }, ranked)).toEqual(['c', 'd', 'b', 'a'])
    expect(keysOf({ orderBy: '$priority', start: { value: 10 } }, ranked)).toEqual(['b', 'a'])
  })

  test('turns the order round before limits', () => {
    expect(byValue({ reverse: true, limitToFirst: 3 })).toEqual(['e', 'c', 'a'])
    expect(byValue({ reverse: true, limitToLast: 2 })).toEqual(['b', 'd'])
    expect(byValue({ reverse: true, start: { value: 3, key: '10' } })).toEqual([
      'e',
      'c',
      'a',
      '10',
    ])
  })

  test('says what each child was ordered by', () => {
    const [first, ...rest] = runQuery(example, { orderBy: '$value' }).entries()
    expect(first).toEqual({ key: 'd', value: true })
    expect(rest.at(-1)).toEqual({ key: 'e', value: {} })
  })

  test('counts the children that it keeps', () => {
    expect(runQuery(example, { orderBy: '$value' }).count()).toBe(7)
    expect(runQuery(example, { orderBy: '$value', ...equalTo(3) }).count()).toBe(3)
    expect(runQuery(example, { orderBy: '$key', limitToLast: 4 }).count()).toBe(4)
  })

  test('has no children in a leaf and in nothing', () => {
    for (const value of [parseJson('5'), parseJson('null')]) {
      const result = runQuery(value, { orderBy: '$key' })
      expect(result.count()).toBe(0)
      expect([...result.entries()]).toEqual([])
      expect(result.cursor()).toBe(undefined)
      expect(result.jsonBlocks()).toBe(undefined)
    }
  })
})

describe('jsonBlocks() of a query', () => {
  test('has its members in key order', () => {
    expect(text({ orderBy: '$value', start: { value: 3, key: '10' } })).toBe(
      '{"10":3,"a":3,"c":"x","e":{"z":1}}',
    )
  })

  test('is an empty object when nothing was kept', () => {
    expect(text({ orderBy: '$value', ...equalTo('none') })).toBe('{}')
  })

  test('renders an array where the keys that were kept make one', () => {
    const list = parseJson('["a","b","c","d"]')
    expect(text({ orderBy: '$key', limitToFirst: 2 }, list)).toBe('["a","b"]')
    expect(text({ orderBy: '$key', limitToLast: 2 }, list)).toBe('[null,null,"c","d"]')
    expect(text({ orderBy: '$key', limitToLast: 1 }, list)).toBe('{"3":"d"}')
    expect(text({ orderBy: '$value', ...equalTo('b') }, list)).toBe('[null,"b"]')
    expect(text({ orderBy: '$value' }, list)).toBe('["a","b","c","d"]')
  })

  test('shows priorities of the children, and none of the node, in export form', () => {
    const ranked = parseJson('{".priority":7,"a":{".value":1,".priority":2},"b":[1]}')
    const blocks = runQuery(ranked, { orderBy: '$key' }).jsonBlocks('export')
    expect(Buffer.concat([...blocks!]).toString()).toBe(
      '{"a":{".value":1,".priority":2},"b":{"0":1}}',
    )
  })

  test('comes in blocks', () => {
    const long = fromJson(
      Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 'é'.repeat(4000)])),
    )
    const blocks = [...runQuery(long, { orderBy: '$value' }).jsonBlocks()!]
    expect(blocks.length).toBeGreaterThan(4)
    expect(Buffer.concat(blocks).toString()).toBe(long.toText('plain'))
  })

  test('comes with empty blocks while it is still looking', () => {
    const many = fromJson(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i])))
    const last = { field: '$value', op: '==', value: 1999 } as const
    for (const orderBy of ['$key', '$value', '$priority']) {
      const blocks = [...runQuery(many, { orderBy, where: [last], limitToFirst: 1 }).jsonBlocks()!]
      expect(blocks.filter(({ length }) => length === 0).length).toBeGreaterThan(5)
      expect(Buffer.concat(blocks).toString()).toBe('{"k1999":1999}')
    }
    // Of what has no limit, the keys are gone through before the children are.
    const all = [...runQuery(many, { orderBy: '$key', where: [last] }).jsonBlocks()!]
    expect(all.filter(({ length }) => length === 0).length).toBeGreaterThan(2 * 5)
    const list = fromJson(Array.from({ length: 5000 }, (_, i) => i))
    const blocks = [...runQuery(list, { orderBy: '$key' }).jsonBlocks()!]
    expect(blocks.slice(0, 2).map(({ length }) => length)).toEqual([0, 0])
  })

  test('and steps have pauses while they are still looking', () => {
    const many = fromJson(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i])))
    const where = [{ field: '$value', op: '>', value: 1997 } as const]
    for (const orderBy of ['$key', '$value', '$priority']) {
      for (const limit of [{}, { limitToFirst: 1 }, { limitToFirst: 2 }, { limitToLast: 2 }]) {
        const query = { orderBy, where, ...limit }
        const steps = [...runQuery(many, query).pageSteps()]
        expect(steps.filter((step) => step === undefined).length).toBeGreaterThan(2)
        expect(steps.filter((step) => step !== undefined)).toEqual([
          ...runQuery(many, query).entries(),
        ])
        const counting = [...runQuery(many, query).countSteps()]
        expect(counting.length).toBeGreaterThan(2)
      }
    }
  })

  test('and the more pauses, the more conditions each child has to meet', () => {
    const many = fromJson(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i])))
    const pauses = (conditions: number) => {
      const where = Array.from({ length: conditions }, (_, index) => {
        return { field: `field${index}`, op: '==', value: index } as const
      })
      return [...runQuery(many, { orderBy: '$key', where }).countSteps()].length
    }
    expect(pauses(64)).toBeGreaterThan(32 * pauses(1))
  })
})

describe('where', () => {
  const people = fromJson({
    ada: { age: 36, city: 'Turin' },
    bob: { age: 41, city: 'Bonn' },
    cyd: { age: 29, city: 'Bonn' },
    dan: { age: 'old', city: 'Bonn' },
    eve: { city: 'Turin' },
  })
  const found = (...where: NonNullable<TreeQuery['where']>) =>
    keysOf({ orderBy: '$key', where }, people)

  test('keeps children for which all conditions hold', () => {
    expect(
      found({ field: 'city', op: '==', value: 'Bonn' }, { field: 'age', op: '>', value: 30 }),
    ).toEqual(['bob'])
  })

  test('compares values of one kind only', () => {
    expect(found({ field: 'age', op: '<', value: 36 })).toEqual(['cyd'])
    expect(found({ field: 'age', op: '<=', value: 36 })).toEqual(['ada', 'cyd'])
    expect(found({ field: 'age', op: '>', value: 0 })).toEqual(['ada', 'bob', 'cyd'])
    expect(found({ field: 'age', op: '>=', value: '' })).toEqual(['dan'])
    expect(found({ field: 'age', op: '>', value: false })).toEqual([])
  })

  test('takes null for nothing there', () => {
    expect(found({ field: 'age', op: '==', value: null })).toEqual(['eve'])
    expect(found({ field: 'age', op: '!=', value: null })).toEqual(['ada', 'bob', 'cyd', 'dan'])
    expect(found({ field: 'age', op: '<=', value: null })).toEqual(['eve'])
  })

  test('looks at keys too', () => {
    expect(found({ field: '$key', op: '>', value: 'cyd' })).toEqual(['dan', 'eve'])
    expect(found({ field: '$key', op: '!=', value: 'cyd' })).toHaveLength(4)
  })

  test('holds beside the bounds of the order', () => {
    const where = [
      { field: 'age', op: '>=', value: 30 } as const,
      { field: 'city', op: '!=', value: 'Rome' } as const,
    ]
    expect(keysOf({ orderBy: 'age', where, end: { value: 40 } }, people)).toEqual(['ada'])
    expect(keysOf({ orderBy: 'age', where, reverse: true }, people)).toEqual(['bob', 'ada'])
  })
})

describe('cursor()', () => {
  test('leads through all pages, in both directions', () => {
    for (const reverse of [false, true]) {
      const all = byValue({ reverse })
      const pages: string[] = []
      let cursor: string | undefined
      do {
        const page = runQuery(example, {
          orderBy: '$value',
          reverse,
          limitToFirst: 2,
          ...(cursor === undefined ? {} : { cursor }),
        })
        pages.push(...Array.from(page.entries(), ({ key }) => key))
        cursor = page.cursor()
      } while (cursor !== undefined)
      expect(pages).toEqual(all)
    }
  })

  test('stays where it is when its child is deleted and others come', () => {
    const page = { orderBy: '$value', limitToFirst: 3 }
    const cursor = runQuery(example, page).cursor()!
    const later = parseJson('{"a":3,"b":1,"c":"x","d":true,"f":0,"10":3,"8":3}')
    expect(keysOf({ ...page, cursor }, later)).toEqual(['10', 'a', 'c'])
  })

  test('goes on with pages of another size', () => {
    const cursor = runQuery(example, { orderBy: '$key', limitToFirst: 3 }).cursor()!
    expect(keysOf({ orderBy: '$key', limitToFirst: 1, cursor })).toEqual(['b'])
    expect(keysOf({ orderBy: '$key', cursor })).toEqual(['b', 'c', 'd', 'e'])
  })

  test('leads past the longest keys', () => {
    const keys = ['a'.repeat(768), 'b'.repeat(257), 'é'.repeat(384)]
    const value = fromJson(Object.fromEntries(keys.map((key) => [key, key])))
    for (const orderBy of ['$key', '$value']) {
      let cursor: string | undefined
      for (const key of keys) {
        const page = runQuery(value, { orderBy, limitToFirst: 1, cursor })
        expect(Array.from(page.entries(), (entry) => entry.key)).toEqual([key])
        cursor = page.cursor()
      }
      expect(cursor).toBe(undefined)
    }
  })

  test('of a long text asks where that stands now', () => {
    const long = 'é😀'.repeat(300)
    const page = { orderBy: '$value', limitToFirst: 1 }
    const cursor = runQuery(fromJson({ a: long, b: `${long}b` }), page).cursor()!
    expect(cursor.length).toBeLessThan(4000)
    const later = fromJson({ a: long, c: `${long}a`, b: `${long}b` })
    expect(keysOf({ orderBy: '$value', cursor }, later)).toEqual(['c', 'b'])
    expect(() => keysOf({ orderBy: '$value', cursor }, fromJson({ a: `${long}x` }))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_CURSOR' }),
    )
  })

  test('is none for the last page and where nothing is limited', () => {
    expect(runQuery(example, { orderBy: '$value', limitToFirst: 7 }).cursor()).toBe(undefined)
    expect(runQuery(example, { orderBy: '$value' }).cursor()).toBe(undefined)
    expect(runQuery(example, { orderBy: '$value', limitToLast: 1 }).cursor()).toBe(undefined)
  })

  test('is refused by another query, and when it is none', () => {
    const cursor = runQuery(example, { orderBy: '$value', limitToFirst: 2 }).cursor()!
    const invalid = expect.objectContaining({ code: 'ERR_INVALID_CURSOR' })
    expect(() => checkQuery({ orderBy: '$key', cursor })).toThrow(invalid)
    expect(() => checkQuery({ orderBy: '$value', reverse: true, cursor })).toThrow(invalid)
    for (const wrong of ['', 'x', '@', 'W10', cursor.slice(1), btoa('[1,2,3]')]) {
      expect(() => checkQuery({ orderBy: '$value', cursor: wrong })).toThrow(invalid)
    }
  })

  test('may be passed on as it is, also where there is none', () => {
    const page: TreeQuery = { orderBy: '$value', limitToFirst: 1, cursor: undefined }
    expect(keysOf(page)).toEqual(keysOf({ orderBy: '$value', limitToFirst: 1 }))
  })

  test('is refused by key where somebody has put another value into it', () => {
    const page = { orderBy: '$key', limitToFirst: 1 }
    const cursor = runQuery(example, page).cursor()!
    const [digest, key] = JSON.parse(atob(cursor)) as [string, string]
    expect(keysOf({ ...page, cursor: btoa(JSON.stringify([digest, key, key])) })).toEqual(['10'])
    for (const value of [1, true, null, {}, [], ['a'], { begins: 'a', digest: 'b' }, 'other']) {
      const forged = btoa(JSON.stringify([digest, key, value]))
      expect(() => checkQuery({ ...page, cursor: forged })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_CURSOR' }),
      )
    }
  })
})

test('a cursor is refused with a value that nothing is ordered by', () => {
  const page = { orderBy: '$value', limitToFirst: 1 }
  const cursor = runQuery(example, page).cursor()!
  const [digest, key] = JSON.parse(atob(cursor)) as [string, string]
  const withValue = (json: string): string =>
    btoa(`[${JSON.stringify(digest)},${JSON.stringify(key)},${json}]`)
  for (const json of ['1', '"x"', 'true', 'null', '{}', '{"begins":"a","digest":"b"}']) {
    checkQuery({ ...page, cursor: withValue(json) })
  }
  for (const json of ['1e999', '-1e999', '[]', '["a"]', '{"a":1}', '{"begins":1,"digest":"b"}']) {
    expect(() => checkQuery({ ...page, cursor: withValue(json) })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_CURSOR' }),
    )
  }
})

describe('checkQuery()', () => {
  test('refuses what makes no sense', () => {
    const wrong: TreeQuery[] = [
      { orderBy: '$key', limitToFirst: 1, limitToLast: 1 },
      { orderBy: '$key', limitToFirst: 0 },
      { orderBy: '$key', limitToLast: 1.5 },
      { orderBy: '$key', limitToLast: -1 },
      { orderBy: '$key', start: { value: 1 } },
      { orderBy: '$key', end: { value: null } },
      { orderBy: '$key', start: { value: 'a', key: 'b' } },
      { orderBy: '$priority', start: { value: true } },
      { orderBy: 'a', start: { value: Number.NaN } },
      { orderBy: 'a', start: { value: {} as never } },
      { orderBy: 'a', where: [{ field: 'b', op: '=' as never, value: 1 }] },
      { orderBy: 'a', where: [{ field: '$key', op: '==', value: 1 }] },
      { orderBy: '$key', limitToLast: 1, cursor: 'x' },
    ]
    for (const query of wrong) expect(() => checkQuery(query)).toThrow(RangeError)
  })

  test('refuses fields and keys that no tree has', () => {
    const codeOf = (query: TreeQuery): unknown => {
      try {
        checkQuery(query)
        return undefined
      } catch (error) {
        return error instanceof TreeError ? error.code : error
      }
    }
    expect(codeOf({ orderBy: '$name' })).toBe('ERR_INVALID_PATH')
    expect(codeOf({ orderBy: '' })).toBe('ERR_INVALID_PATH')
    expect(codeOf({ orderBy: 'a.b' })).toBe('ERR_INVALID_PATH')
    expect(codeOf({ orderBy: '$key', where: [{ field: '/', op: '==', value: 1 }] })).toBe(
      'ERR_INVALID_PATH',
    )
    expect(codeOf({ orderBy: 'a', start: { value: 1, key: 'a/b' } })).toBe('ERR_INVALID_KEY')
  })
})

/** What section 7 of the specification says of each bound, word by word. */
function isKept(value: IndexValue, key: string, { start, end }: TreeQuery): boolean {
  const order = (bound: QueryBound) =>
    compareIndexValues(value, bound.value) ||
    (bound.key === undefined ? 0 : compareKeys(key, bound.key))
  if (start !== undefined && (start.isExclusive ? order(start) <= 0 : order(start) < 0))
    return false
  return end === undefined || (end.isExclusive ? order(end) < 0 : order(end) <= 0)
}

const leaf = fc.constantFrom<(string | number | boolean | null)[]>(
  null,
  false,
  true,
  -1,
  0,
  1,
  2,
  '',
  'a',
  'b',
  '\ud83d\ude00',
  '\uffff',
)
const key = fc.constantFrom('0', '1', '01', '10', 'a', 'b', 'é')
const bound: fc.Arbitrary<QueryBound> = fc.record(
  { value: leaf, key, isExclusive: fc.boolean() },
  { requiredKeys: ['value'] },
)

test('any bounds keep the children that they say, in order', () => {
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.oneof(leaf, fc.constant({ x: 1 }))),
      fc.option(bound, { nil: undefined }),
      fc.option(bound, { nil: undefined }),
      (children, start, end) => {
        const query: TreeQuery = { orderBy: '$value', ...(start && { start }), ...(end && { end }) }
        const wanted = Object.entries(children)
          .filter(([, value]) => value !== null)
          .map(([name, value]) => [name, typeof value === 'object' ? {} : value] as const)
          .filter(([name, value]) => isKept(value, name, query))
          .toSorted((a, b) => compareIndexValues(a[1], b[1]) || compareKeys(a[0], b[0]))
        expect(keysOf(query, fromJson(children))).toEqual(wanted.map(([name]) => name))
      },
    ),
  )
})

test('a query without an order is refused with words that say so', () => {
  expect(() => runQuery(example, { limitToFirst: 1 } as TreeQuery)).toThrow(
    new TypeError('Cannot look at undefined of a child: a field is a text, such as "$key"'),
  )
})
