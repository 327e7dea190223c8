import { setTimeout } from 'node:timers/promises'

/** How everybody in a soak knows how long to wait and when it is over. */
export class Traffic {
  readonly #operationsPerSecond: number | undefined
  readonly #stop = new AbortController()
  readonly #waiting = new Set<{ readonly at: number; readonly resolve: () => void }>()
  #operations = 0

  /**
   * @param operationsPerSecond Given, a second is so many operations of clients, however long they
   * take: then nothing depends on how fast the machine is.
   */
  constructor(operationsPerSecond?: number) {
    this.#operationsPerSecond = operationsPerSecond
  }

  get operations(): number {
    return this.#operations
  }

  get isOver(): boolean {
    return this.#stop.signal.aborted
  }

  /** Notes that a client has done one thing. */
  operation(): void {
    this.#operations++
    for (const waiting of this.#waiting) {
      if (waiting.at <= this.#operations) this.#wake(waiting)
    }
  }

  /** Resolves after so long, or when it is over. */
  async pass(ms: number): Promise<void> {
    if (this.isOver) return
    if (this.#operationsPerSecond === undefined) {
      await setTimeout(ms, undefined, { signal: this.#stop.signal }).catch(() => {})
      return
    }
    const at = this.#operations + Math.ceil((ms / 1000) * this.#operationsPerSecond)
    await new Promise<void>((resolve) => this.#waiting.add({ at, resolve }))
  }

  end(): void {
    this.#stop.abort()
    for (const waiting of this.#waiting) this.#wake(waiting)
  }

  #wake(waiting: { readonly resolve: () => void }): void {
    this.#waiting.delete(waiting as never)
    waiting.resolve()
  }
}
