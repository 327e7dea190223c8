import { storeOptions } from '../src/open-tree.ts'
import type { OpenTreeOptions } from '../src/index.ts'
import { LmdbTreeStore } from '../src/store.ts'

interface StoreSettings extends OpenTreeOptions {
  readonly heldMaxBytes?: number
  readonly comparedMaxLength?: number
  readonly indexStepsATurn?: number
}

/**
 * A store without the lock and `elkyn.json` of its folder, which does not sync, stages early, takes most
 * values for large where it compares them, and builds indexes from a few children a turn.
 */
export function openStore({
  heldMaxBytes = 64,
  comparedMaxLength = 8,
  indexStepsATurn = 3,
  ...options
}: StoreSettings): LmdbTreeStore {
  const resolved = storeOptions({ durability: 'relaxed', ...options }, 'epoch')
  return new LmdbTreeStore({ ...resolved, heldMaxBytes, comparedMaxLength, indexStepsATurn })
}
