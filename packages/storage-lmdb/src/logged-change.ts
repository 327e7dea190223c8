import type { Change, ChangePair, Path } from '@elkyn/tree'

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
    return `${this.#epoch}-${this.sequence}-${hexOf(this.#mark)}`
  }
}

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The bits of a mark in hexadecimal, without zeros in front. `toString(16)` takes most of the time of an id. */
function hexOf(mark: number): string {
  const bits = mark >>> 0
  if (bits < 0x1000_0000) return bits.toString(16)
  const [a, b] = [hexBytes[bits >>> 24]!, hexBytes[(bits >>> 16) & 255]!]
  return a + b + hexBytes[(bits >>> 8) & 255]! + hexBytes[bits & 255]!
}
