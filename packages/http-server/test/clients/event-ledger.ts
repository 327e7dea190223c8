/**
 * What a client was told of a list to which only is added: `/log/e1`, or what is in it, `/log/e2` and so on.
 * Each of them has to come once and in order, behind one whole value at the beginning.
 */
export class EventLedger {
  /** The number of the last one. */
  last = 0
  readonly faults: string[] = []
  #hasBegun = false
  #waiting: (() => void) | undefined

  /** @param json of a `put` event. */
  take(json: string): void {
    const { path, data } = JSON.parse(json) as { readonly path: string; readonly data: unknown }
    if (path === '/') this.#takeAll(data as Readonly<Record<string, unknown>> | null)
    else this.#takeOne(Number(/^\/e(\d+)/.exec(path)?.[1]))
    this.#waiting?.()
  }

  /** Resolves when `number` was told, or something is wrong. */
  async reached(number: number): Promise<void> {
    while (this.last < number && this.faults.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting = resolve
      await promise
    }
  }

  #takeAll(list: Readonly<Record<string, unknown>> | null): void {
    if (this.#hasBegun) this.faults.push(`everything again behind ${this.last}`)
    this.#hasBegun = true
    this.last = Object.keys(list ?? {}).length
  }

  #takeOne(number: number): void {
    if (number !== this.last + 1) this.faults.push(`${number} behind ${this.last}`)
    this.last = number
  }
}
