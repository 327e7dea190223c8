import type { Random } from './random.ts'
import type { Json, Place } from './tree-model.ts'

const words = [
  'ada',
  'grün',
  '日本語',
  '😀',
  '"quoted"',
  '\\',
  'line\nbreak',
  '',
  '\u2028',
] as const

/** A small value: a leaf, or an object of a few. */
export function smallValue(random: Random): Json {
  if (random.chance(0.5)) return leaf(random)
  return Object.fromEntries(
    Array.from({ length: random.integer(1, 6) }, (_, index) => [`m${index}`, leaf(random)]),
  )
}

function leaf(random: Random): Json {
  switch (random.integer(0, 4)) {
    case 0:
      return random.integer(-1_000_000, 1_000_000)
    case 1:
      return random.next() * 1000
    case 2:
      return random.chance(0.5)
    default:
      return `${random.pick(words)} ${random.integer(0, 1e9)}`
  }
}

/** An object of so many bytes or a little more, in strings of 10 to 60 kB. */
export function largeValue(random: Random, bytes: number): Json {
  const members: Record<string, Json> = {}
  for (let length = 0, index = 0; length < bytes; index++) {
    const line = `${random.integer(0, 1e9)} `
    const text = line.repeat(Math.ceil(random.integer(10_000, 60_000) / line.length))
    members[`b${index}`] = text
    length += text.length
  }
  return members
}

/** A place for small values: one of a fixed number, so that the tree does not grow without end. */
export function smallPlace(random: Random): Place {
  const top = ['small', `k${random.integer(0, 39)}`]
  return random.chance(0.4) ? [...top, `d${random.integer(0, 3)}`] : top
}
