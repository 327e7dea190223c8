/**
 * What indexes cost and save: `node bench/indexes.ts [children] [rounds]`.
 *
 * - A page of the 20 children with the largest values, from 1,000 children and from a million.
 * - Writes of small records with no index, with one and with two: new ones, and old ones that either move
 *   in each index or stay where they are.
 *
 * The two sides of a ratio take turns in one process, each on a database of its own, and the median of
 * the rounds counts. Answers are checked before anything is timed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseJson, parsePath } from '@elkyn/tree'
import type { IndexDefinitions, TreeWrite } from '@elkyn/tree'
import { openTree } from '../src/index.ts'
import type { Tree } from '../src/index.ts'

const users = parsePath('/users')
const page = { orderBy: 'age', limitToLast: 20 } as const
const twoIndexes: IndexDefinitions = { '/users': ['age', 'address/city'] }

interface OpenedTree extends AsyncDisposable {
  readonly tree: Tree
}

async function openTemporary(
  durability: 'full' | 'relaxed',
  indexes: IndexDefinitions,
): Promise<OpenedTree> {
  const path = mkdtempSync(join(tmpdir(), 'elkyn-bench-'))
  const tree = await openTree({ path, durability, indexes })
  return {
    tree,
    async [Symbol.asyncDispose]() {
      await tree.close()
      rmSync(path, { recursive: true })
    },
  }
}

/** A record of about 180 bytes, whose `version` is in no index. */
function record(number: number, version = 0): string {
  const age = (number * 7919) % 1_000_003
  const text = 'x'.repeat(100)
  return `{"address":{"city":"c${number % 1000}"},"age":${age},"name":"User ${number}","n":${version},"text":"${text}"}`
}

function fill(tree: Tree, count: number): void {
  const stager = tree.store.stage({ path: users })
  for (let number = 0; number < count; number++) {
    stager.write(Buffer.from(`${number === 0 ? '{' : ','}"u${number}":${record(number)}`))
  }
  stager.write(Buffer.from('}'))
  const [outcome] = tree.store.commit([
    { pairs: stager.end().map(({ value }) => ({ path: users, value })) },
  ])
  if (outcome?.ok !== true) throw outcome?.error ?? new Error('Nothing was written')
}

/** Microseconds for a page as JSON bytes, with the snapshot that it is read from. */
function timePages(tree: Tree, times: number): number {
  const start = performance.now()
  let bytes = 0
  for (let index = 0; index < times; index++) {
    const snapshot = tree.store.snapshot()
    for (const block of snapshot.query(users, page).jsonBlocks() ?? []) bytes += block.length
    snapshot.close()
  }
  if (bytes < times * 1000) throw new Error('The pages are too short')
  return ((performance.now() - start) * 1000) / times
}

/** Microseconds for a page of 20 by an index, of a few and of many children. */
export async function measurePages(
  many: number,
  rounds: number,
): Promise<{ few: number; many: number }> {
  await using small = await openTemporary('relaxed', twoIndexes)
  await using large = await openTemporary('relaxed', twoIndexes)
  fill(small.tree, 1000)
  fill(large.tree, many)
  for (const { tree } of [small, large]) {
    if (tree.query('/users', page).children.length !== 20) throw new Error('Not 20 children')
    timePages(tree, 2000)
  }
  const times: { few: number[]; many: number[] } = { few: [], many: [] }
  for (let round = 0; round < rounds; round++) {
    times.few.push(timePages(small.tree, 1000))
    times.many.push(timePages(large.tree, 1000))
  }
  return { few: median(times.few), many: median(times.many) }
}

/** Microseconds for a write of one record, in commits of so many. */
function timeWrites(
  tree: Tree,
  kind: WriteKind,
  first: number,
  commits: number,
  writesACommit: number,
): number {
  const batches: TreeWrite[][] = []
  for (let commit = 0; commit < commits; commit++) {
    batches.push(
      Array.from({ length: writesACommit }, (_, index) => {
        const number = first + commit * writesACommit + index
        const old = (number * 31) % first
        const key = kind === 'new' ? number : old
        const path = parsePath(`/users/u${key}`)
        const value = parseJson(kind === 'staying' ? record(old, number) : record(number))
        return { pairs: [{ path, value }] }
      }),
    )
  }
  const start = performance.now()
  for (const batch of batches) tree.store.commit(batch)
  return ((performance.now() - start) * 1000) / (commits * writesACommit)
}

/** New children, or old ones that move in each index, or in none. */
export type WriteKind = 'new' | 'moving' | 'staying'

export interface WriteFigures {
  readonly unindexed: number
  readonly one: number
  readonly two: number
}

/** Microseconds for a write without an index, with one and with two. */
export async function measureWrites(
  durability: 'full' | 'relaxed',
  kind: WriteKind,
  writesACommit: number,
  rounds: number,
): Promise<WriteFigures> {
  await using plain = await openTemporary(durability, {})
  await using one = await openTemporary(durability, { '/users': ['age'] })
  await using two = await openTemporary(durability, twoIndexes)
  const count = 20_000
  const commits = Math.ceil(2000 / writesACommit)
  const sides = [plain, one, two].map(({ tree }) => ({ tree, times: [] as number[] }))
  for (const { tree } of sides) {
    fill(tree, count)
    timeWrites(tree, kind, count, commits, writesACommit)
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { tree, times } of sides) {
      times.push(timeWrites(tree, kind, count + round * 2000, commits, writesACommit))
    }
  }
  const [unindexed = 0, withOne = 0, withTwo = 0] = sides.map(({ times }) => median(times))
  return { unindexed, one: withOne, two: withTwo }
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN
}

if (import.meta.main) {
  const [children = '1000000', rounds = '11'] = process.argv.slice(2)
  const pages = await measurePages(Number(children), Number(rounds))
  console.log(
    `page of 20: ${pages.few.toFixed(1)} us of 1000, ${pages.many.toFixed(1)} us of ${children}: ` +
      `${(pages.many / pages.few).toFixed(2)} x`,
  )
  for (const durability of ['relaxed', 'full'] as const) {
    for (const writesACommit of [1, 64]) {
      for (const kind of ['new', 'moving', 'staying'] as const) {
        const figures = await measureWrites(durability, kind, writesACommit, Number(rounds))
        const { unindexed, one, two } = figures
        console.log(
          `${durability}, ${kind}, ${writesACommit} a commit: ${unindexed.toFixed(1)} us without, ` +
            `${one.toFixed(1)} with one (${(unindexed / one).toFixed(2)}), ` +
            `${two.toFixed(1)} with two (${(unindexed / two).toFixed(2)})`,
        )
      }
    }
  }
}
