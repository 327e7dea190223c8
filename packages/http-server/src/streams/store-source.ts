import { setImmediate } from 'node:timers/promises'
import type { TreeStore } from '@elkyn/tree'
import { inSlices } from '../steps.ts'
import type { StreamedAnswers } from '../streamed-answers.ts'
import { shortSliceMs, TimeSlice } from '../time-slice.ts'
import { PieceMemory, withPiece } from './piece-memory.ts'
import { checkStreamTarget, openWhole, streamJobSteps } from './stream-job.ts'
import type { LargeValue, StreamJob, StreamResult } from './stream-job.ts'
import type { OnChanges, StreamSource } from './stream-source.ts'
import type { StreamTarget } from './stream-target.ts'

/** Streams of a store in this thread. */
export class StoreSource implements StreamSource {
  readonly #store: TreeStore
  readonly #streamedAnswers: StreamedAnswers
  readonly #memory = new PieceMemory()

  constructor(store: TreeStore, streamedAnswers: StreamedAnswers) {
    this.#store = store
    this.#streamedAnswers = streamedAnswers
  }

  async listen(onChanges: OnChanges): Promise<() => void> {
    return this.#store.subscribe(onChanges)
  }

  async check(target: StreamTarget): Promise<void> {
    checkStreamTarget(this.#store, target)
  }

  // Not at once: what reads on and on would let nothing else happen in this thread.
  async run(job: StreamJob): Promise<StreamResult> {
    await setImmediate()
    return withPiece(this.#memory, job, (piece) =>
      inSlices(streamJobSteps(this.#store, job, piece?.bytes), new TimeSlice(shortSliceMs)),
    )
  }

  async readLarge(target: StreamTarget): Promise<LargeValue> {
    const steps = openWhole(this.#store, target, (blocks, snapshot) =>
      this.#streamedAnswers.begin(blocks, snapshot),
    )
    return inSlices(steps, new TimeSlice(shortSliceMs))
  }
}
