import type { TreeSnapshot } from '@elkyn/tree'
import { Refusal } from './refusal.ts'
import { SnapshotBody } from './snapshot-body.ts'

/**
 * Counts the answers in blocks that hold a snapshot until their clients have taken them. A store may
 * have room for a fixed number of snapshots only, and slow clients must not use up all of it.
 */
export class StreamedAnswers {
  readonly #maximum: number
  #open = 0

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /**
   * A body that closes the snapshot at its end.
   * @throws {Refusal} 503 when there are too many. The blocks are given up then, the snapshot is not.
   */
  begin(blocks: Iterable<Uint8Array>, snapshot: TreeSnapshot): SnapshotBody {
    if (this.#open >= this.#maximum) {
      blocks[Symbol.iterator]().return?.()
      throw tooManyAnswers()
    }
    this.#open++
    return new SnapshotBody(blocks, () => {
      this.#open--
      snapshot.close()
    })
  }
}

export function tooManyAnswers(): Refusal {
  return new Refusal(503, 'The server is busy: Too many large answers are being sent', [
    'Retry-After',
    '1',
  ])
}
