import type { StoreDescriptor } from '@elkyn/tree'
import type { OpenTreeOptions } from './open-tree.ts'
import { prepareEnd } from './process-end.ts'

/**
 * Says how the threads of a server open a folder, each for itself. `@elkyn/storage-lmdb/descriptor` has it
 * without the database, for a thread that opens none:
 *
 *     new ThreadPoolHttpServer({ store: lmdbStorage({ path: 'data' }), threads: 4 })
 */
export function lmdbStorage(options: OpenTreeOptions): StoreDescriptor {
  // The threads are going to write.
  prepareEnd()
  // As source or as built, whichever this module is.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  return { module: new URL(`./open-store${extension}`, import.meta.url).href, options }
}
