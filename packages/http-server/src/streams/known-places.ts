import type { Position } from './topic.ts'

/** So many are remembered: what a few rounds of keep-alives say to many clients. */
const maxPlaces = 4096

/**
 * Places in the history whose ids were sent lately. An id by itself does not say whether its change is one of this
 * history, and to look that up takes a reading.
 */
export class KnownPlaces {
  /** Their numbers by their ids, the oldest one first. */
  readonly #sequences = new Map<string, number>()

  add({ id, sequence }: Position): void {
    const sequences = this.#sequences
    if (id === undefined || sequences.has(id)) return
    sequences.set(id, sequence)
    if (sequences.size <= maxPlaces) return
    for (const oldest of sequences.keys()) {
      sequences.delete(oldest)
      return
    }
  }

  sequenceOf(id: string): number | undefined {
    return this.#sequences.get(id)
  }

  clear(): void {
    this.#sequences.clear()
  }
}
