import { expect, test } from 'vitest'
import { openLmdb } from '../test/open-lmdb.ts'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { ForgottenClients } from './forgotten-clients.ts'

test('knows the names that were added last, at least as many as it has to, and at most twice as many', async () => {
  using folder = temporaryFolder()
  const lmdb = openLmdb(folder.path)
  const max = 7
  const names = Array.from({ length: 10 * max }, (_, index) => `client${index}`)
  for (const [index, name] of names.entries()) {
    lmdb.transact(() => {
      new ForgottenClients(lmdb, max).add([name])
    })
    lmdb.transact(() => {
      const forgotten = new ForgottenClients(lmdb, max)
      const known = names.filter((each) => forgotten.has(each))
      expect(known).toEqual(names.slice(index + 1 - known.length, index + 1))
      expect(known.length).toBeGreaterThanOrEqual(Math.min(max, index + 1))
      expect(known.length).toBeLessThanOrEqual(2 * max)
      expect(forgotten.entries).toBe(lmdb.stats.table('clients').entries)
      // The names, those that are about to go, and the state.
      expect(forgotten.entries).toBeLessThanOrEqual(3 * max + 1)
    })
  }
  await lmdb.close()
})

test('a name that is added again counts as the newest', async () => {
  using folder = temporaryFolder()
  const lmdb = openLmdb(folder.path)
  lmdb.transact(() => {
    const forgotten = new ForgottenClients(lmdb, 2)
    forgotten.add(['a', 'b', 'a', 'a', 'c', 'd'])
    expect(['a', 'b', 'c', 'd'].map((name) => forgotten.has(name))).toEqual([
      true,
      false,
      true,
      true,
    ])
    expect(forgotten.entries).toBe(lmdb.stats.table('clients').entries)
  })
  await lmdb.close()
})
