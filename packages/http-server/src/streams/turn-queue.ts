/** How long one turn of the event loop may be spent on beginning, in milliseconds. */
const turnMs = 1

/** How much of what takes longer goes on at one time. */
const maxRunning = 32

/** Begins one after the other, no more than a turn of the event loop bears and others can do meanwhile. */
export class TurnQueue<T> {
  readonly #begin: (next: T) => Promise<void> | undefined
  readonly #waiting = new Set<T>()
  #running = 0
  #turn: NodeJS.Immediate | undefined

  /** @param begin Gives a promise where it takes longer. May not throw. */
  constructor(begin: (next: T) => Promise<void> | undefined) {
    this.#begin = begin
  }

  add(next: T): void {
    this.#waiting.add(next)
  }

  /** Takes out what was added. @returns whether it had not begun. */
  delete(next: T): boolean {
    return this.#waiting.delete(next)
  }

  /** Begins what was added: at once, unless others wait. */
  run(): void {
    if (this.#turn !== undefined) return
    const end = performance.now() + turnMs
    for (const next of this.#waiting) {
      if (this.#running >= maxRunning) return
      if (performance.now() > end) {
        this.#runLater()
        return
      }
      this.#waiting.delete(next)
      const work = this.#begin(next)
      if (work !== undefined) void this.#follow(work)
    }
  }

  async #follow(work: Promise<void>): Promise<void> {
    this.#running++
    try {
      await work
    } finally {
      this.#running--
      this.#runLater()
    }
  }

  #runLater(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined
      this.run()
    })
  }
}
