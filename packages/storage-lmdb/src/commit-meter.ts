import type { CommitStats } from '@elkyn/tree'

/** Counts commits, and how many writes shared each of them. */
export class CommitMeter {
  #count = 0
  #writes = 0
  readonly #bySize: number[] = []

  record(writes: number): void {
    this.#count++
    this.#writes += writes
    const index = writes <= 1 ? 0 : 32 - Math.clz32(writes - 1)
    while (this.#bySize.length <= index) this.#bySize.push(0)
    this.#bySize[index]!++
  }

  stats(): CommitStats {
    return { count: this.#count, writes: this.#writes, bySize: [...this.#bySize] }
  }
}
