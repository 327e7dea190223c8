import type { TreeStore } from '@elkyn/tree'
import { describeTreeStore } from '@elkyn/tree/conformance'
import { describe, expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions } from '../src/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Opens an empty store whose folder goes when it is closed. */
function opener(options: Omit<OpenTreeOptions, 'path'>): () => Promise<TreeStore> {
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

const api = { describe, test, expect }
const encryptionKey = Buffer.alloc(32, 'key')

describeTreeStore('a store', opener({}), api)
describeTreeStore('a store with rows of one byte', opener({ rowMaxBytes: 1 }), api)
describeTreeStore('a store with rows of 60 bytes', opener({ rowMaxBytes: 60 }), api)
describeTreeStore('a store with the longest rows', opener({ rowMaxBytes: 65_536 }), api)
describeTreeStore('a sealed store', opener({ encryptionKey }), api)
describeTreeStore(
  'a sealed store with short rows',
  opener({ encryptionKey, rowMaxBytes: 200 }),
  api,
)
