import { MemoryTreeStore, rootPath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { StoreTransport } from './store-transport.ts'
import { Target } from './target.ts'

class FailingStore extends MemoryTreeStore {
  override snapshot(): never {
    throw new TypeError('it is broken', { cause: new Error('it fell down') })
  }
}

test('a command on a folder says why the store failed, which a server would log', async () => {
  const store = new FailingStore()
  await using target = new Target(
    new StoreTransport('./data', { store, databases: 'one', close: () => store.close() }),
  )
  await expect(target.read(rootPath)).rejects.toMatchObject({
    message: './data refused GET /: An internal error occurred',
    hint: 'The reason: TypeError: it is broken: Error: it fell down',
  })
})
