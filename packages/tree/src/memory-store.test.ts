import { describe, expect, test } from 'vitest'
import { runModel, describeTreeStore } from './conformance.ts'
import { MemoryTreeStore } from './memory-store.ts'

describeTreeStore('MemoryTreeStore', async () => new MemoryTreeStore(), { describe, test, expect })

test('MemoryTreeStore agrees with itself under random writes', async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await using store = new MemoryTreeStore()
    await runModel(store, { seed })
  }
})
