import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { Tree } from '../src/index.ts'
import { runProgram } from './program.ts'
import { reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A killed process leaves all that it has answered and nothing that it has half done. */
function expectWhole(tree: Tree, answered: number): number {
  const numbers = tree.keys('/records').map((name) => Number(name.slice(1)))
  const last = Math.max(0, ...numbers)
  expect(last).toBeGreaterThanOrEqual(answered)
  // One write is on its way at a time.
  expect(last).toBeLessThanOrEqual(answered + 1)
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: last }, (_, i) => i + 1))
  const updates = numbers.filter((number) => number % 3 !== 0)
  expect(tree.keys('/twice').length).toBe(updates.length)
  for (const number of updates) expect(tree.get(`/twice/r${number}`)).toBe(number)
  expect(tree.get('/last')).toBe(updates.length === 0 ? null : Math.max(...updates))
  expect(tree.stats().changes).toBe(last)
  return last
}

test('a process that is killed while it writes loses nothing that it has answered', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const rounds = fc.sample(fc.integer({ min: 1, max: 80 }), 50)
  let last = 0
  for (const [index, writes] of rounds.entries()) {
    // A relaxed write survives the process too.
    const durability = index % 4 === 3 ? 'relaxed' : 'full'
    await using program = runProgram('acknowledge', [path, durability, '1000000', String(last + 1)])
    expect(await program.line()).toBe('open')
    for (let number = last + 1; number <= last + writes; number++) {
      expect(await program.line()).toBe(String(number))
    }
    const killed = program.kill()
    let answered = last + writes
    for (let line = await program.line(); line !== undefined; line = await program.line()) {
      answered = Number(line)
    }
    await killed
    await using tree = await openTree({ path })
    last = expectWhole(tree, answered)
  }
})

test('a process that is killed while it stages leaves something to reclaim and nothing to see', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const options = JSON.stringify({ path, durability: 'relaxed' })
  await using program = runProgram('command-tree', [options])
  expect(await program.line()).toBe('"open"')
  // The last commit carries rows that wait.
  program.process.stdin.write('["setSync","/kept",{"a":1}]\n["begin",8]\n')
  program.process.stdin.write('["goOn",0.1]\n["setSync","/kept",{"a":2}]\n')
  for (let answers = 0; answers < 4; answers++) expect(await program.line()).toBe('null')
  await program.kill()
  await using tree = await openTree({ path })
  expect(tree.get('/')).toEqual({ kept: { a: 2 } })
  expect(tree.stats().graves).toBe(1)
  expect(tree.stats().rows).toBeGreaterThan(1000)
  expect(await reclaimed(tree)).toMatchObject({ rows: 1, graves: 0 })
})

test('a process that is killed while it reclaims goes on after a restart', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const options = JSON.stringify({ path, durability: 'relaxed' })
  await using program = runProgram('command-tree', [options])
  expect(await program.line()).toBe('"open"')
  program.process.stdin.write('["fill","/a",30]\n["deleteSync","/a"]\n')
  expect(await program.line()).toBe('null')
  expect(await program.line()).toBe('null')
  await program.kill()
  await using tree = await openTree({ path })
  expect(tree.get('/')).toBe(null)
  expect(await reclaimed(tree)).toMatchObject({ rows: 0, graves: 0 })
})

test('a process that is killed while it builds an index goes on after a restart', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const options = JSON.stringify({ path, durability: 'relaxed' })
  const count = 50_000
  await using program = runProgram('command-tree', [options])
  expect(await program.line()).toBe('"open"')
  program.process.stdin.write(`["fillRecords","/records",${count}]\n`)
  expect(await program.line()).toBe('null')
  program.process.stdin.write(
    '["defineIndexes",{"/records":["n"]}]\n["setSync","/records/r7/n",-1]\n',
  )
  expect(await program.line()).toBe('null')
  expect(await program.line()).toBe('null')
  await program.kill()
  await using tree = await openTree({ path })
  const [index] = tree.indexes()
  // Nobody is told that it is ready before it is.
  expect(index?.isReady).toBe(tree.stats().indexEntries === count)
  await tree.indexesBuilt()
  expect(tree.indexes()).toEqual([{ place: '/records', field: 'n', isReady: true }])
  expect(tree.stats().indexEntries).toBe(count)
  const { children } = tree.query('/records', { orderBy: 'n' })
  expect(children[0]).toEqual({ key: 'r7', value: { n: -1 } })
  const numbers = children.slice(1).map(({ value }) => (value as { n: number }).n)
  const all = Array.from({ length: count }, (_, number) => number)
  expect(numbers).toEqual(all.filter((number) => number !== (7 * 7919) % count))
})
