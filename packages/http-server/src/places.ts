/** Places for work of which only so much goes on at one time. What finds none waits, in the order in which it came. */
export class Places {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(maximum: number) {
    this.#free = maximum
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Does work in a place, as soon as there is one. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
