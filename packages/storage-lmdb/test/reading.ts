import { setImmediate } from 'node:timers/promises'
import { parsePath } from '@elkyn/tree'
import type { JsonForm, Path, TreeStore } from '@elkyn/tree'
import type { StoreStats } from '../src/index.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Any path, that of a priority too. */
export function at(text: string): Path {
  return parsePath(text, { priority: true })
}

/** The JSON text at a path; `undefined` where nothing is. */
export function read(store: TreeStore, path: string, form?: JsonForm): string | undefined {
  using snapshot = store.snapshot()
  const bytes = snapshot.json(at(path), form)
  return bytes && decoder.decode(bytes)
}

/** Waits until nothing is buried any more. */
export async function reclaimed(store: { stats(): StoreStats }): Promise<StoreStats> {
  for (;;) {
    const stats = store.stats()
    if (stats.graves === 0) return stats
    await setImmediate()
  }
}
