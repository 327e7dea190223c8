import type { OpenStoreOptions, TreeStore } from '@elkyn/tree'
import { openTree } from './open-tree.ts'
import type { OpenTreeOptions } from './open-tree.ts'

/** Opens the store that `lmdbStorage()` describes, in this thread. Closing it frees the folder. */
export async function openStore(options: unknown, how: OpenStoreOptions): Promise<TreeStore> {
  const tree = await openTree({ ...(options as OpenTreeOptions), ...how })
  return tree.store
}
