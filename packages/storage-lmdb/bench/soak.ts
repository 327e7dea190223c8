/**
 * Writes for minutes what makes LMDB's list of free pages work hardest: records of one and a half to
 * six kilobytes, changed and deleted beside snapshots that are held over many commits. All that is
 * read, from the newest commit and from the snapshots, is compared with a model; what LMDB prints
 * is counted, since it does not tell otherwise.
 *
 *     pnpm soak [minutes] [seed]
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parsePath } from '@elkyn/tree'
import type { Path, TreeSnapshot, TreeWrite } from '@elkyn/tree'
import { openTree } from '../src/index.ts'
import type { Tree } from '../src/index.ts'

const GROUPS = 40
const RECORDS_A_GROUP = 100
const REPORT_MS = 20_000
const MOST_SNAPSHOTS = 6

/** A snapshot and what some paths held when it was taken. */
interface Held {
  readonly snapshot: TreeSnapshot
  readonly wanted: ReadonlyMap<Path, string | undefined>
  readonly until: number
}

const [minutes = '5', seed = String(Date.now() % 1e9), folder] = process.argv.slice(2)
if (folder === undefined) await watchOver(minutes, seed)
else await soak(Number(minutes) * 60_000, Number(seed), folder)

/** Runs the soak in a process of its own and counts what it prints beside its report. */
async function watchOver(...options: readonly string[]): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'elkyn-soak-'))
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...options, path], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const exit = once(child, 'exit')
  const complaints = new Map<string, number>()
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      for (const part of line.split(/(?=reserved_space)/)) {
        const kind = part.replaceAll(/\d+/g, 'N').trim()
        complaints.set(kind, (complaints.get(kind) ?? 0) + 1)
      }
    }
    await exit
  } finally {
    rmSync(path, { recursive: true })
  }
  for (const [kind, count] of complaints)
    process.stdout.write(`LMDB said ${count} times: ${kind}\n`)
  process.exitCode = child.exitCode ?? 1
  process.stdout.write(child.exitCode === 0 ? 'All was equal to the model\n' : 'It failed\n')
}

async function soak(durationMs: number, randomSeed: number, path: string): Promise<void> {
  process.stdout.write(`seed ${randomSeed}\n`)
  const random = randomNumbers(randomSeed)
  const below = (count: number) => Math.floor(random() * count)
  const model = new Map<Path, string>()
  const held: Held[] = []
  const start = performance.now()
  let tree = await open(path)
  let commits = 0
  let nextReport = REPORT_MS
  for (let elapsed = 0; elapsed < durationMs; elapsed = performance.now() - start) {
    commitSome(tree, model, below)
    commits++
    if (held.length < MOST_SNAPSHOTS && below(100) === 0) {
      held.push(hold(tree, model, below, commits + 50 + below(3000)))
    }
    for (const [index, one] of held.entries()) {
      if (one.until > commits) continue
      check(one)
      held.splice(index, 1)
      break
    }
    if (commits % 8 === 0) await setImmediate()
    if (elapsed < nextReport) continue
    nextReport += REPORT_MS
    for (const one of held.splice(0)) check(one)
    compareAll(tree, model)
    report(tree, elapsed, commits)
    if (below(3) === 0) {
      await tree.close()
      tree = await open(path)
      compareAll(tree, model)
    }
  }
  for (const one of held.splice(0)) check(one)
  compareAll(tree, model)
  await tree.close()
}

async function open(path: string): Promise<Tree> {
  return openTree({ path, durability: 'relaxed', log: { maxBytes: 8 * 1024 * 1024 } })
}

function pathOf(group: number, record: number): Path {
  return parsePath(`/g${group}/r${record}`)
}

function commitSome(tree: Tree, model: Map<Path, string>, below: (count: number) => number): void {
  const writes: TreeWrite[] = []
  for (let left = 1 + below(24); left > 0; left--) {
    const group = below(GROUPS)
    if (below(400) === 0) {
      writes.push({ pairs: [{ path: parsePath(`/g${group}`), value: null }] })
      for (let record = 0; record < RECORDS_A_GROUP; record++) model.delete(pathOf(group, record))
      continue
    }
    const path = pathOf(group, below(RECORDS_A_GROUP))
    const value =
      below(5) === 0 ? null : String.fromCharCode(97 + below(26)).repeat(1500 + below(4500))
    writes.push({ pairs: [{ path, value }] })
    if (value === null) model.delete(path)
    else model.set(path, value)
  }
  for (const outcome of tree.store.commit(writes)) assert.ok(outcome.ok)
}

function hold(
  tree: Tree,
  model: ReadonlyMap<Path, string>,
  below: (count: number) => number,
  until: number,
): Held {
  const wanted = new Map<Path, string | undefined>()
  for (let count = 0; count < 100; count++) {
    const path = pathOf(below(GROUPS), below(RECORDS_A_GROUP))
    wanted.set(path, model.get(path))
  }
  return { snapshot: tree.store.snapshot(), wanted, until }
}

function check({ snapshot, wanted }: Held): void {
  for (const [path, value] of wanted)
    assert.equal(snapshot.get(path).node ?? undefined, value, path)
  snapshot.close()
}

function compareAll(tree: Tree, model: ReadonlyMap<Path, string>): void {
  using snapshot = tree.store.snapshot()
  let records = 0
  for (const group of snapshot.keys(parsePath('/'))) {
    for (const record of snapshot.keys(parsePath(`/${group}`))) {
      const path = parsePath(`/${group}/${record}`)
      assert.equal(snapshot.get(path).node, model.get(path), path)
      records++
    }
  }
  assert.equal(records, model.size)
}

function report(tree: Tree, elapsedMs: number, commits: number): void {
  const { rows, graves, fileBytes, freeBytes } = tree.stats()
  const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  process.stdout.write(
    `${(elapsedMs / 1000).toFixed(0)} s: ${commits} commits, ${rows} rows, ${graves} graves, ` +
      `file ${mebibytes(fileBytes)}, free ${mebibytes(freeBytes)}\n`,
  )
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function randomNumbers(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
