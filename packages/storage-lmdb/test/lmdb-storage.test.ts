import { readdirSync } from 'node:fs'
import type { StoreModule } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { lmdbStorage } from '../src/index.ts'
import { runProgram } from './program.ts'
import { at } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { runThread } from './threads/thread.ts'

test('other threads open a store by its descriptor', async () => {
  using folder = temporaryFolder()
  const encryptionKey = Buffer.alloc(32, 'key')
  const descriptor = lmdbStorage({ path: folder.path, encryptionKey, durability: 'relaxed' })
  const module = (await import(descriptor.module)) as StoreModule
  const store = await module.openStore(descriptor.options, {})
  store.commit([{ pairs: [{ path: at('/a'), value: 1 }] }])
  for (const [how, wanted] of [
    [{ readOnly: true }, ['TypeError', '{"a":1}']],
    [{}, ['written', '{"a":1,"written":true}']],
  ] as const) {
    const thread = runThread<string[]>('open-descriptor', { descriptor, how })
    expect(await thread.message()).toEqual(wanted)
    await thread.ended()
  }
  using snapshot = store.snapshot()
  expect(snapshot.get(at('/written')).node).toBe(true)
  snapshot.close()
  await store.close()
  expect(readdirSync(folder.path).filter((name) => name.endsWith('.sock'))).toEqual([])
})

test('who only describes a store loads no database', async () => {
  using folder = temporaryFolder()
  await using program = runProgram('describe-folder', [folder.path])
  expect(await program.line()).toBe('0')
  expect(await program.line()).toBe('1')
  expect(await program.finish()).toBe(0)
})
