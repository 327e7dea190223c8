import type { Change } from '@elkyn/tree'
import type { LargeValue, StreamJob, StreamResult } from './stream-job.ts'
import type { StreamTarget } from './stream-target.ts'

/** Where streams have their values and changes from: a store in this thread, or threads that have one. */
export interface StreamSource {
  /**
   * Calls `onChanges` with the changes of each commit, in order, from when the promise has resolved on;
   * values that are too large to be handed about are left out of them. Calls `onLost` when it can't go on, once.
   * @returns the way to stop it.
   */
  listen(onChanges: OnChanges, onLost: () => void): Promise<() => void>
  /** @throws {Refusal} for a target that cannot be shown. */
  check(target: StreamTarget): Promise<void>
  /**
   * What it gives is no older than what was committed when it was called.
   * @throws {Refusal} for a target that cannot be shown any more.
   */
  run(job: StreamJob): Promise<StreamResult>
  /** @throws {Refusal} 503 when too many are being read. */
  readLarge(target: StreamTarget, signal: AbortSignal): Promise<LargeValue>
}

export type OnChanges = (changes: readonly Change[]) => void
