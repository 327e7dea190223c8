// A process with one tree of people, which is asked for some of them, or changed.
import assert from 'node:assert/strict'
import process from 'node:process'
import { openTree } from '@elkyn/storage-lmdb'
import { fromJson, parsePath } from '@elkyn/tree'
import type { TreeQuery, TreeWrite } from '@elkyn/tree'
import { jobOfParent, tellParent } from '../child.ts'
import type { TrialResult } from '../rounds.ts'

export type QueryWork = 'last' | 'last before any' | 'update'

export interface QueryJob {
  readonly folder: string
  readonly people: number
  readonly fields: readonly string[]
  readonly work: QueryWork
  /** Updates of one commit. Default: 64. */
  readonly updatesOfCommit?: number
}

export interface QueryMessage {
  readonly count: number
}

const { folder, people, fields, work, updatesOfCommit = 64 } = jobOfParent() as QueryJob
const place = parsePath('/people')
const limit = 20
const tree = await openTree({
  path: folder,
  indexes: fields.length === 0 ? {} : { '/people': fields },
})
const { store } = tree
for (let first = 0; first < people; first += 1000) {
  const batch = Math.min(1000, people - first)
  store.commit(Array.from({ length: batch }, (_, index) => writeOf(first + index)))
}
if (work !== 'update') check()
tellParent({})
process.on('message', ({ count }: QueryMessage) => {
  globalThis.gc?.()
  tellParent(work === 'update' ? update(count) : ask(count))
})
process.once('disconnect', () => void tree.close().then(() => process.exit()))

// Everybody's age is another one, in an order that has nothing to do with that of the keys.
function ageOf(number: number): number {
  return (number * 7919) % people
}

function writeOf(number: number): TreeWrite {
  const value = { age: ageOf(number), city: `city ${number % 1000}`, name: `Person ${number}` }
  return { pairs: [{ path: parsePath(`/people/p${number}`), value: fromJson(value) }] }
}

function check(): void {
  const found = JSON.parse(read({ orderBy: 'age', limitToLast: limit })) as Record<
    string,
    { age: number }
  >
  const ages = Object.values(found).map(({ age }) => age)
  const expected = Array.from({ length: limit }, (_, index) => people - limit + index)
  assert.deepEqual(
    ages.toSorted((a, b) => a - b),
    expected,
  )
}

function read(query: TreeQuery): string {
  const snapshot = store.snapshot()
  try {
    return Buffer.concat([...(snapshot.query(place, query).jsonBlocks() ?? [])]).toString()
  } finally {
    snapshot.close()
  }
}

function ask(count: number): TrialResult {
  let characters = 0
  const begin = performance.now()
  for (let asked = 0; asked < count; asked++) {
    const end = { value: limit + Math.floor(Math.random() * (people - limit)) }
    const query = { orderBy: 'age', limitToLast: limit, ...(work === 'last' ? {} : { end }) }
    characters += read(query).length
  }
  const elapsedMs = performance.now() - begin
  assert.ok(characters > count * limit * 40)
  return { units: count, elapsedMs }
}

function update(count: number): TrialResult {
  const writes = Array.from({ length: count }, () => {
    const person = `/people/p${Math.floor(Math.random() * people)}`
    return {
      pairs: [
        { path: parsePath(`${person}/age`), value: fromJson(Math.floor(Math.random() * 1e6)) },
        { path: parsePath(`${person}/city`), value: fromJson(`city ${Math.random()}`) },
      ],
    }
  })
  const begin = performance.now()
  for (let first = 0; first < count; first += updatesOfCommit) {
    const outcomes = store.commit(writes.slice(first, first + updatesOfCommit))
    assert.ok(outcomes.every(({ ok }) => ok))
  }
  return { units: count, elapsedMs: performance.now() - begin }
}
