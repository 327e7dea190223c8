import type { Change, ChangePair, Path } from '@elkyn/tree'
import { changeId } from './change-id.ts'

/** A change whose id is made when somebody asks: most changes are only logged. */
export class LoggedChange implements Change {
  readonly #epoch: string
  readonly #mark: number
  readonly sequence: number
  readonly time: number
  readonly pairs: readonly ChangePair[]
  readonly update: Path | undefined

  constructor(
    epoch: string,
    sequence: number,
    time: number,
    mark: number,
    pairs: readonly ChangePair[],
    update: Path | undefined,
  ) {
    this.#epoch = epoch
    this.#mark = mark
    this.sequence = sequence
    this.time = time
    this.pairs = pairs
    this.update = update
  }

  get id(): string {
    return changeId(this.#epoch, this.sequence, this.#mark)
  }
}
