import { openTree } from '@elkyn/storage-lmdb'
import type { Tree } from '@elkyn/storage-lmdb'
import { parseJson, parsePath } from '@elkyn/tree'
import type { TreeStore, TreeWrite } from '@elkyn/tree'
import { LIST } from '../records.ts'
import type { Item, LeafUpdate } from '../records.ts'
import type { Engine } from './engine.ts'

/** `@elkyn/storage-lmdb` through its public doors, with JSON bytes in and out. */
export async function openElkyn(folder: string): Promise<Engine> {
  const tree = await openTree({ path: folder })
  const { store } = tree
  return {
    durability: 'fsync a commit',
    load(batches) {
      loadTree(tree, batches)
    },
    get: (key) => tree.getJson(`/${LIST}/${key}`),
    read(keys) {
      let bytes = 0
      for (const key of keys) bytes += tree.getJson(`/${LIST}/${key}`)!.length
      return bytes
    },
    write(batches) {
      for (const batch of batches) commit(store, batch.map(recordWrite))
    },
    prepareWrite(batches) {
      const writes = batches.map((batch) => batch.map(recordWrite))
      return () => {
        for (const batch of writes) commit(store, batch)
      }
    },
    update(batches) {
      for (const batch of batches) commit(store, batch.map(leafWrite))
    },
    scan() {
      using snapshot = store.snapshot()
      let bytes = 0
      for (const block of snapshot.jsonBlocks(parsePath(LIST))!) bytes += block.length
      return bytes
    },
    list: () => tree.getJson(`/${LIST}`),
    close: async () => tree.close(),
  }
}

/** Puts records into a tree, a commit for each batch. */
export function loadTree({ store }: Tree, batches: Iterable<readonly Item[]>): void {
  for (const batch of batches) commit(store, batch.map(recordWrite))
}

function recordWrite({ key, json }: Item): TreeWrite {
  return { pairs: [{ path: parsePath(`/${LIST}/${key}`), value: parseJson(json, { depth: 2 }) }] }
}

function leafWrite({ key, field, value }: LeafUpdate): TreeWrite {
  return { pairs: [{ path: parsePath(`/${LIST}/${key}/${field}`), value }] }
}

function commit(store: TreeStore, writes: readonly TreeWrite[]): void {
  for (const outcome of store.commit(writes)) if (!outcome.ok) throw outcome.error
}
