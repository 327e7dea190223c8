import type { Counters } from './counters.ts'
import { bury, unbury } from './graves.ts'
import { iterableOf } from './iterable.ts'
import type { EntrySource, Layer } from './layer.ts'
import { decodePassed } from './leaf-row.ts'
import { HeadMark } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'

/** The entries as the open write transaction has them. */
export function storedEntries(lmdb: Lmdb): EntrySource {
  return {
    entry: (head, name) => lmdb.entry(head, name, undefined),
    passed: (head, name) => lmdb.readRow(head, name, undefined, decodePassed),
    names: (head, range = {}) => iterableOf(() => lmdb.names(head, range, undefined)),
  }
}

/** Moves what a layer changed into the open write transaction and leaves the layer empty. */
export function storeLayer(lmdb: Lmdb, layer: Layer, counters: Counters): void {
  // While LMDB still says what was there.
  if (!layer.indexing.isEmpty) layer.indexing.store(lmdb, storedEntries(lmdb), layer)
  layer.forEach((head, name, entry) => {
    if (entry === null) lmdb.removeRow(head, name)
    else lmdb.putRow(head, name, entry)
  })
  for (const head of layer.odd) lmdb.markHead(head, HeadMark.odd)
  for (const head of layer.ranked) lmdb.markHead(head, HeadMark.ranked)
  // A head may have been linked and, by a later write, buried: in this order.
  for (const head of layer.linked) unbury(lmdb, head)
  for (const head of layer.buried) bury(lmdb, head)
  counters.headsGone += layer.gone
  layer.settle()
}
