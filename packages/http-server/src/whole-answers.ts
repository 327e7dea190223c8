import { partBytes } from './part-writer.ts'

// Bytes of answers that may wait for a client before its next reads do.
const maxUnsentBytes = 4 * 1024 * 1024

/** The answers in one piece of a connection that have not left, and the reads that wait until they have. */
export class WholeAnswers<Request extends object> {
  readonly #begin: (request: Request) => void
  #unsentBytes = 0
  readonly #held = new Set<Request>()
  /** Reads whose answers are on their way, and may be as large as one in one piece is at most. */
  readonly #begun = new Set<Request>()
  #isBeginning = false

  /** @param begin Answers a request, and says so by {@link answered}. */
  constructor(begin: (request: Request) => void) {
    this.#begin = begin
  }

  /** Begins a read when there is room for its answer. */
  add(request: Request): void {
    this.#held.add(request)
    this.#beginHeld()
  }

  /** Its client has gone. */
  delete(request: Request): void {
    this.#held.delete(request)
    this.answered(request)
  }

  /** The answer to a request is known. */
  answered(request: Request): void {
    if (this.#begun.delete(request)) this.#beginHeld()
  }

  /** So many bytes of an answer were handed over. */
  sending(bytes: number): void {
    this.#unsentBytes += bytes
  }

  /** They have left, or nobody wants them. */
  left(bytes: number): void {
    this.#unsentBytes -= bytes
    this.#beginHeld()
  }

  #beginHeld(): void {
    // The answer of one that is begun may be there at once.
    if (this.#isBeginning) return
    this.#isBeginning = true
    for (const request of this.#held) {
      if (this.#unsentBytes + this.#begun.size * partBytes >= maxUnsentBytes) break
      this.#held.delete(request)
      this.#begun.add(request)
      this.#begin(request)
    }
    this.#isBeginning = false
  }
}
