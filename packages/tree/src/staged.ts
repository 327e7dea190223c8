import type { StagedPair, StagedValue } from './store.ts'

/** Tells what a store has staged from a value that is given as it is. */
export function isStaged(value: StagedPair['value']): value is StagedValue {
  return typeof value === 'object' && value !== null && 'staged' in value
}
