import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import { runProgram } from './program.ts'
import { temporaryFolder } from './temporary-folder.ts'

test.each([
  ['exit', 'index', 3],
  ['exit', 'lmdb-storage', 3],
  ['throw', 'lmdb-storage', 1],
  ['listener', 'index', 4],
])(
  'the main thread ends the process when other threads have written what they were at: %s, %s',
  async (how, module, code) => {
    using folder = temporaryFolder()
    await using program = runProgram('end-beside-writer', [folder.path, how, module, 'a while'], {
      errors: '/dev/null',
    })
    expect(await program.finish()).toBe(code)
    await using tree = await openTree({ path: folder.path })
    expect([2_000, 4_000]).toContain(tree.count('/a') + tree.count('/b'))
  },
)

test('the main thread ends the process in a write of its own', async () => {
  using folder = temporaryFolder()
  await using program = runProgram('end-in-a-write', [folder.path])
  expect(await program.finish()).toBe(3)
})

test('a commit whose thread was terminated does not change how the process ends', async () => {
  await using program = runProgram('end-after-terminated', [])
  expect(await program.finish()).toBe(7)
})

test('a write that does not end keeps the process from ending for a while only', async () => {
  using folder = temporaryFolder()
  const errors = join(folder.path, 'errors')
  const args = [join(folder.path, 'data'), 'throw', 'lmdb-storage', 'for ever']
  await using program = runProgram('end-beside-writer', args, {
    errors,
    // No picture of its memory.
    under: ['sh', '-c', 'ulimit -c 0 && exec "$@"', 'sh'],
  })
  expect(await program.finish()).toBe(null)
  expect(program.process.signalCode).toBe('SIGABRT')
  expect(readFileSync(errors, 'utf8')).toContain('a fault of the main thread')
  await using tree = await openTree({ path: join(folder.path, 'data') })
  expect(tree.get('/')).toBe(null)
})
