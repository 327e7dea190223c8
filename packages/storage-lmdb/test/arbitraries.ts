import { childPath, maxDepth, maxKeyBytes, parsePath, rootPath } from '@elkyn/tree'
import type { KeyRange, Path } from '@elkyn/tree'
import fc from 'fast-check'

/** Names that stores have got wrong: spellings of integers, names of `Object.prototype`, the order of UTF-8. */
const hostileKeys: readonly string[] = [
  '-0',
  '00',
  '000',
  '-00',
  '01',
  '001',
  '-1',
  '-01',
  '2147483647',
  '2147483648',
  '-2147483648',
  '-2147483649',
  '3000000000',
  '007',
  '-',
  '1e3',
  '+1',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'length',
  ' ',
  '!',
  '"',
  '\\',
  '~',
  '\u0080',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '😀',
  '9'.repeat(768),
  '0'.repeat(768),
  'x'.repeat(768),
  '日'.repeat(256),
]

/** Few names most of the time, so that writes meet. */
export const key: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('0', '1', '2', '3', 'a', 'b') },
  { weight: 2, arbitrary: fc.constantFrom('01', '00', '-0', '4', '10', 'aa') },
  { weight: 1, arbitrary: fc.constantFrom(...hostileKeys) },
)

export const path: fc.Arbitrary<Path> = fc
  .array(key, { maxLength: 4 })
  .map((keys) => parsePath(keys.join('/')))

/** The longest path, of 32 names of 768 bytes, and places on the way to it. */
export const longPath: fc.Arbitrary<Path> = fc
  .integer({ min: maxDepth - 3, max: maxDepth })
  .map((depth) => Array<string>(depth).fill('x'.repeat(maxKeyBytes)).reduce(childPath, rootPath))

const number = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom('-0', '1e2', '0.1', '-1.5e-7', '9007199254740991', '1e308', '5e-324'),
)
const text = fc
  .oneof(
    fc.constantFrom(
      '',
      'a',
      '"\\/\b\n\u0001',
      '\u2028',
      '😀',
      'null',
      '{',
      '[1,2]',
      'é'.repeat(40),
      // Not read for what lies below it.
      '日'.repeat(1400),
    ),
    fc.string({ maxLength: 12 }),
  )
  .map((value) => JSON.stringify(value.toWellFormed()))
const serverValue = fc.oneof(
  fc.constant('{".sv":"timestamp"}'),
  fc.integer({ min: -3, max: 3 }).map((by) => `{".sv":{"increment":${by}}}`),
)
const plainLeaf = fc.oneof(number, text, fc.constantFrom('true', 'false', 'null'))
const leaf = fc.oneof({ weight: 8, arbitrary: plainLeaf }, { weight: 1, arbitrary: serverValue })
const priority = fc.oneof(
  { weight: 6, arbitrary: fc.oneof(number, text, fc.constant('null')) },
  { weight: 1, arbitrary: serverValue },
)

/** JSON text as a client may send it: any order, names that come twice, nulls, priorities, server values. */
export const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => {
  const member = fc
    .tuple(key, tie('value'))
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
  const ranked = fc.tuple(leaf, priority)
  return {
    value: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'json' },
      leaf,
      ranked.map(([value, rank]) => `{".value":${value},".priority":${rank}}`),
      fc.array(tie('value'), { maxLength: 5 }).map((items) => `[${items.join()}]`),
      fc
        .tuple(fc.array(member, { maxLength: 6 }), fc.option(priority, { freq: 4 }))
        .map(([members, rank]) =>
          rank === null
            ? `{ ${members.join(' , ')} }`
            : `{${[`".priority":${rank}`, ...members].join()}}`,
        ),
    ),
  }
}).value

export const keyRange: fc.Arbitrary<KeyRange> = fc.record(
  { after: key, before: key, limit: fc.nat(4), reverse: fc.boolean() },
  { requiredKeys: [] },
)

/** Any limit of rows, most often a small one or one that is interesting: all a head, a few bytes, a page, more than a page. */
export const rowMaxBytes: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, 12, 30, 60, 200, 2000, 4000, 65_536) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 65_536 }) },
)
