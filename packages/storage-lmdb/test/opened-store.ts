import type { TreeStore } from '@elkyn/tree'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions } from '../src/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A way to open empty stores whose folders go when they are closed. */
export function opener(options: Omit<OpenTreeOptions, 'path'>): () => Promise<TreeStore> {
  return async () => {
    const folder = temporaryFolder()
    const { store } = await openTree({ path: folder.path, durability: 'relaxed', ...options })
    const close = store.close.bind(store)
    store.close = async () => {
      await close()
      folder[Symbol.dispose]()
    }
    return store
  }
}
