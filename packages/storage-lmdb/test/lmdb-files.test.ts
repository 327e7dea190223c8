import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import { runProgram } from './program.ts'
import { temporaryFolder } from './temporary-folder.ts'

async function makeFolder(path: string): Promise<void> {
  await using tree = await openTree({ path })
  tree.setSync('/a', 1)
}

/** What opening a folder comes to in a process of its own, which LMDB might end. */
async function outcome(path: string, readOnly = false): Promise<unknown> {
  await using program = runProgram('command-tree', [JSON.stringify({ path, readOnly })])
  const line = await program.line()
  await program.finish()
  return JSON.parse(line ?? '"ended"')
}

const refused = 'ERR_FOLDER_INVALID'

test.each(['a folder', 'a name for nothing'])(
  'a lock.mdb that cannot be opened is refused: %s',
  async (what) => {
    using folder = temporaryFolder()
    await makeFolder(folder.path)
    const file = join(folder.path, 'lock.mdb')
    rmSync(file)
    if (what === 'a folder') mkdirSync(file)
    else symlinkSync(join(folder.path, 'none', 'lock.mdb'), file)
    expect(await outcome(folder.path)).toBe(refused)
    expect(await outcome(folder.path, true)).toBe(refused)
    await expect(compactTree({ path: folder.path })).rejects.toMatchObject({ code: refused })
    rmSync(file, { recursive: true })
    expect(await outcome(folder.path)).toBe('open')
  },
)

test('a folder is refused while there are too few descriptors', async () => {
  using folder = temporaryFolder()
  await using program = runProgram('open-with-few', [folder.path, '20'], {
    under: ['sh', '-c', 'ulimit -n 100 && exec "$@"', 'sh'],
  })
  const outcomes = JSON.parse((await program.line()) ?? '[]') as unknown[]
  expect(await program.finish()).toBe(0)
  expect(new Set(outcomes)).toEqual(new Set([refused, 'open']))
  expect(outcomes.at(0)).toBe(refused)
  expect(outcomes.at(-1)).toBe('open')
})
