import type { IndexDefinition, WriterProgress } from '@elkyn/tree'
import type { LogLimits } from './change-log.ts'
import type { ClientLimits } from './client-records.ts'
import type { Sealer } from './sealer.ts'

/** The options of `openTree`, checked and complete, with some that only tests set. */
export interface LmdbTreeStoreOptions {
  readonly path: string
  readonly epoch: string
  readonly readOnly: boolean
  readonly durability: 'full' | 'relaxed'
  readonly rowMaxBytes: number
  readonly maxReaders: number
  readonly maxBytes: number
  readonly log: LogLimits
  readonly clients: ClientLimits
  /** Those there are to be; `undefined` leaves them as they are. */
  readonly indexes: readonly IndexDefinition[] | undefined
  /** Whether a query is refused that has none. */
  readonly requireIndexes: boolean
  readonly sealer: Sealer | undefined
  readonly progress?: WriterProgress | undefined
  /** Whether another thread of this process has the folder open: a reader then opens LMDB as one. */
  readonly joins: boolean
  /** Closes LMDB, by what it is given, and lets go of the folder. Default: only the former. */
  readonly leave?: (closeData: () => Promise<void>) => Promise<void>
  /** Bytes of memory from which on a staged value goes to the disk. Default: 2 MiB. */
  readonly heldMaxBytes?: number
  /** Text up to which a value is compared with a precondition within the write. Default: 65,536. */
  readonly comparedMaxLength?: number
  /** Children that an index is built from in one turn. Default: as many as there is time for. */
  readonly indexStepsATurn?: number
}
