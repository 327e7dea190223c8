import type { IndexDefinition } from '@elkyn/tree'

/** Which indexes a store was opened with. */
export interface IndexSettings {
  readonly definitions: readonly IndexDefinition[]
  /** Whether queries are refused that have none. */
  readonly areRequired: boolean
}
