import fc from 'fast-check'

/** JSON as somebody writes it: members in any order, names twice, nulls, `.priority` anywhere. */
export type Json =
  | string
  | number
  | boolean
  | null
  | { readonly items: readonly Json[] }
  | { readonly members: readonly (readonly [string, Json])[] }

/** Keys that a tree can hold, the difficult ones among them. Not all: of control characters none. */
export const key: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('a', 'b', 'c', '0', '1', '2', '3', '10', '-0', '00', '01', '-1', '-01'),
  fc.constantFrom('3000000000', '2147483647', '2147483648', '-2147483648', '-2147483649', '-'),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'length', '"', '\\', ' ', 'é', '😀'),
  fc.constantFrom('\ud7ff', '\ue000', '\uffff', '\u{10ffff}', '\u0080', '~'),
  fc.integer({ min: -20, max: 20 }).map(String),
  fc
    .tuple(fc.constantFrom('', '-'), fc.stringMatching(/^0{0,3}\d{1,11}$/))
    .map((parts) => parts.join('')),
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 8 })
    .filter((text) => !/[\p{Cc}.$#[\]/]/u.test(text)),
)

export const priority: fc.Arbitrary<string | number> = fc.oneof(
  fc.constantFrom(0, 1, -1.5, '', 'p', '10'),
  fc.integer(),
  fc.string({ unit: 'binary', maxLength: 5 }),
)

const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e21, 1e20, 2 ** 53, 2 ** 53 - 1, 5e-324, 1.7976931348623157e308),
)

const leaf = fc.oneof(
  number,
  fc.boolean(),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('null', '{"a":1}', '[1,2]', '\\"', '\u2028', '"'),
)

/** JSON without reserved names. */
export const plainJson: fc.Arbitrary<Json> = jsonOf([])

/** JSON with priorities. */
export const json: fc.Arbitrary<Json> = jsonOf([
  { weight: 1, arbitrary: fc.tuple(leaf, priority).map(([value, rank]) => ranked(value, rank)) },
])

function ranked(value: Json, rank: string | number): Json {
  return {
    members: [
      ['.priority', rank],
      ['.value', value],
    ],
  }
}

function jsonOf(
  more: readonly { weight: number; arbitrary: fc.Arbitrary<Json> }[],
): fc.Arbitrary<Json> {
  const { node } = fc.letrec<{ node: Json }>((tie) => {
    const members = fc.array(fc.tuple(key, tie('node')), { maxLength: 6 })
    return {
      node: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        { weight: 4, arbitrary: leaf },
        { weight: 1, arbitrary: fc.constant(null) },
        { weight: 3, arbitrary: members.map((list) => ({ members: list })) },
        {
          weight: 1,
          arbitrary: fc.array(tie('node'), { maxLength: 5 }).map((items) => ({ items })),
        },
        ...more,
        ...(more.length === 0
          ? []
          : [
              {
                weight: 1,
                arbitrary: fc.tuple(members, priority).map(([list, rank]) => ({
                  members: [...list.slice(0, 2), ['.priority', rank] as const, ...list.slice(2)],
                })),
              },
            ]),
      ),
    }
  })
  return node
}

/** Characters around tokens and ways to write strings, drawn from a sequence of choices. */
export function print(value: Json, choices: readonly number[] = [0]): string {
  let next = 0
  const choose = (count: number): number => (choices[next++ % choices.length] ?? 0) % count
  const space = (): string => ['', '', ' ', '\n', '\t\r\n '][choose(5)] as string
  const string = (text: string): string => (choose(4) < 3 ? JSON.stringify(text) : escapeAll(text))
  const text = (node: Json): string => {
    if (typeof node === 'string') return string(node)
    if (typeof node === 'number') return Object.is(node, -0) ? '-0' : JSON.stringify(node)
    if (typeof node !== 'object' || node === null) return JSON.stringify(node)
    const parts =
      'items' in node
        ? node.items.map((item) => space() + text(item) + space())
        : node.members.map(
            ([name, member]) =>
              `${space()}${string(name)}${space()}:${space()}${text(member)}${space()}`,
          )
    return 'items' in node ? `[${parts.join() || space()}]` : `{${parts.join() || space()}}`
  }
  return space() + text(value) + space()
}

function escapeAll(text: string): string {
  let escaped = ''
  for (let index = 0; index < text.length; index++) {
    escaped += `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  return `"${escaped}"`
}
