import type { OpenStoreOptions, StoreDescriptor, StoreModule, TreeStore } from '@elkyn/tree'
import type { PlanSettings } from '../plan-settings.ts'
import type { SharedSpoolRoom } from './spool-room.ts'

/** What the threads of a server are told at their start. */
export interface ThreadData {
  readonly store: StoreDescriptor
  /** Name of the channel for what is no answer. */
  readonly channel: string
  readonly maxBodyBytes: number
  readonly maxStreamedAnswers: number
  readonly plan: PlanSettings
  /** How long a client may take for a large answer before the rest goes into a file. */
  readonly patienceMs: number
  /** See spool-room.ts. */
  readonly spool: SharedSpoolRoom
  /** See scan-permits.ts. */
  readonly permits: SharedArrayBuffer
  /** See piece-memory.ts. */
  readonly pieces: SharedArrayBuffer
  /** See the words in writer-progress.ts. */
  readonly progress: SharedArrayBuffer
}

/** Opens the store that a descriptor names, in this thread. */
export async function openDescribed(
  descriptor: StoreDescriptor,
  how: OpenStoreOptions,
): Promise<TreeStore> {
  const module = (await import(descriptor.module)) as StoreModule
  return module.openStore(descriptor.options, how)
}
