import { SmallRequests } from './small-requests.ts'

/** How long others go first between two pieces of long answers, in milliseconds. */
const restMs = 1

/** From so many bytes on an answer is long. */
const longBytes = 1024 * 1024

interface Waiting {
  readonly sentBytes: number
  readonly resolve: () => void
}

/**
 * Whose turn it is to write a piece of a large answer: in each turn of the event loop one of all
 * that are being sent. While small answers are given as well, long ones rest between two pieces, because what they keep
 * busy are not only this thread but those that read, the system's sockets and, where they are near, the clients.
 */
export class LargePace {
  readonly #small: SmallRequests
  readonly #waiting: Waiting[] = []
  #isTaken = false

  /** @param now A clock in milliseconds. Default: that of the process. */
  constructor(now: () => number = () => performance.now()) {
    this.#small = new SmallRequests(now)
  }

  /** Says that a small answer was given. */
  noteSmall(): void {
    this.#small.note()
  }

  /**
   * Resolves when a piece may be written.
   * @param sentBytes What its answer has sent before.
   */
  turn(sentBytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = { sentBytes, resolve }
    if (this.#isTaken) this.#waiting.push(waiting)
    else this.#begin(waiting)
    return promise
  }

  #begin({ sentBytes, resolve }: Waiting): void {
    this.#isTaken = true
    if (sentBytes >= longBytes && this.#small.areThere()) setTimeout(this.#end, restMs)
    else setImmediate(this.#end)
    resolve()
  }

  readonly #end = (): void => {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else this.#begin(next)
  }
}
