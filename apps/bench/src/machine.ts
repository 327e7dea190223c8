import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { spreadOf } from './spread.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

/** What a reader must know to compare figures: name and value of each fact. */
export type Facts = readonly (readonly [name: string, value: string])[]

const measured = ['lmdb', 'acebase', 'acebase-server', 'better-sqlite3', 'classic-level']

export async function describeMachine(): Promise<Facts> {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return [
    ['date', new Date().toISOString().slice(0, 10)],
    ['commit', commit()],
    ['processor', `${availableParallelism()} cores, ${cpus()[0]?.model.trim()}, ${arch()}`],
    ['memory', memory],
    ['load before', `${loadavg()[0]!.toFixed(1)} programs wanted to run`],
    ['kernel', `${type()} ${release()}`],
    ['disk', `writing 4 kB and fdatasync: ${(await syncMs()).toFixed(2)} ms (median)`],
    ['Node.js', process.version],
    ...measured.map((name) => [name, versionOf(name)] as const),
  ]
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()
  // Figures that an earlier group has written change nothing that is measured.
  const others = ['--untracked-files=no', '--', ':/', ':(top,exclude)apps/bench/RESULTS.md']
  const isDirty = git('status', '--porcelain', ...others) !== ''
  return git('rev-parse', '--short=12', 'HEAD') + (isDirty ? ', with changes' : '')
}

/** How long the disk takes to say that something is on it: the floor of every durable commit. */
async function syncMs(): Promise<number> {
  await using folder = await makeTemporaryFolder()
  const file = openSync(join(folder.path, 'sync'), 'w')
  try {
    const page = Buffer.alloc(4096)
    const times = Array.from({ length: 200 }, () => {
      const start = performance.now()
      writeSync(file, page)
      fdatasyncSync(file)
      return performance.now() - start
    })
    return spreadOf(times).median
  } finally {
    closeSync(file)
  }
}

const require = createRequire(import.meta.url)

function versionOf(name: string): string {
  // Not every package exports its manifest.
  const paths = require.resolve.paths(name) ?? []
  for (const path of paths) {
    try {
      const manifest = readFileSync(join(path, name, 'package.json'), 'utf8')
      return (JSON.parse(manifest) as { version: string }).version
    } catch {
      continue
    }
  }
  return 'not installed'
}
