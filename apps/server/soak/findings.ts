/** What a soak has counted, and what was not as it should be. */
export class Findings {
  readonly counts: Map<string, number> = new Map()
  readonly failures: string[] = []
  readonly #seen = new Set<string>()

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  /** Notes a failure; the same one is noted once. */
  fail(what: string): void {
    if (this.#seen.has(what)) return
    this.#seen.add(what)
    this.failures.push(what)
  }
}
