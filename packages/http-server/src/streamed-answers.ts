import type { TreeSnapshot } from '@elkyn/tree'
import { Refusal } from './refusal.ts'
import { SnapshotBody } from './snapshot-body.ts'

/** A place among the answers that hold a snapshot for longer. */
export interface StreamedPlace {
  /** Takes it, once. @throws {Refusal} 503 when there are too many. */
  take(): void
  /** Leaves it, if it was taken. */
  leave(): void
}

/**
 * Counts the answers that hold a snapshot for longer: in blocks until their clients have taken them, and those for which
 * much is read before. A store may have room for a fixed number of snapshots only, and slow clients must not use up all of it.
 */
export class StreamedAnswers {
  readonly #maximum: number
  #open = 0

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** A place that one of them takes when it shows that it takes longer. */
  place(): StreamedPlace {
    let isTaken = false
    return {
      take: () => {
        if (isTaken) return
        if (this.#open >= this.#maximum) throw tooManyAnswers()
        this.#open++
        isTaken = true
      },
      leave: () => {
        if (isTaken) this.#open--
        isTaken = false
      },
    }
  }

  /**
   * A body that closes the snapshot at its end.
   * @param place Where the answer has one already. It is left with the snapshot.
   * @throws {Refusal} 503 when there are too many. The blocks are given up then, the snapshot is not.
   */
  begin(
    blocks: Iterable<Uint8Array>,
    snapshot: TreeSnapshot,
    place: StreamedPlace = this.place(),
  ): SnapshotBody {
    try {
      place.take()
    } catch (error) {
      blocks[Symbol.iterator]().return?.()
      throw error
    }
    return new SnapshotBody(blocks, () => {
      place.leave()
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
