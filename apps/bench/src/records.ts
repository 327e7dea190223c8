/** What every engine stores: flat records of ten fields, the same for the same number. */
export interface Item {
  /** Name of the record in its list. */
  readonly key: string
  /** The record as JSON, its members in key order, so that every engine gives back these bytes. */
  readonly json: Buffer
}

/** A change of one field of a record. */
export interface LeafUpdate {
  readonly key: string
  readonly field: 'visits'
  readonly value: number
}

export const FIELDS_PER_RECORD = 10

/** The list that the records lie in. */
export const LIST = 'records'

const cities = ['Amsterdam', 'Berlin', 'Chicago', 'Dakar', 'Edinburgh', 'Fukuoka', 'Göteborg']

/** Keys in the order of their numbers. */
export function recordKey(number: number): string {
  return `r${String(number).padStart(9, '0')}`
}

export function recordOf(number: number): Record<string, string | number | boolean> {
  const hash = Math.imul(number + 1, 0x9e3779b1) >>> 0
  return {
    active: hash % 3 > 0,
    age: 18 + (hash % 70),
    balance: (hash % 1_000_000) / 100,
    city: cities[hash % cities.length]!,
    email: `user${number}@example.com`,
    joined: 1_600_000_000_000 + hash,
    name: `Name ${hash.toString(36)}`,
    score: hash % 10_000,
    team: `team-${hash % 500}`,
    visits: 0,
  }
}

export function itemOf(number: number): Item {
  return { key: recordKey(number), json: Buffer.from(JSON.stringify(recordOf(number))) }
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
