// Thousands of tasks may have one signal, and Node.js looks through all its listeners to add or to remove one. So it has
// one here for all of them, from the second on that comes right behind another. To look up each signal would cost those
// that have one task as much as all else that is done for a task.
const shared = new Map<AbortSignal, AbortListeners>()
let last: AbortListeners | undefined

/** What is to be called when a signal aborts. */
export class AbortListeners {
  readonly #signal: AbortSignal
  #first: (() => void) | undefined
  #others: Set<() => void> | undefined

  private constructor(signal: AbortSignal, first: () => void) {
    this.#signal = signal
    this.#first = first
    signal.addEventListener('abort', this.#tell, { once: true })
  }

  /** Adds one, which has to be taken out again in any case. @returns where */
  static add(signal: AbortSignal, listener: () => void): AbortListeners {
    const isLast = last !== undefined && last.#signal === signal
    const known = isLast ? last : shared.get(signal)
    if (known === undefined) return (last = new AbortListeners(signal, listener))
    if (known.#others === undefined) shared.set(signal, known)
    known.#others ??= new Set()
    known.#others.add(listener)
    return known
  }

  delete(listener: () => void): void {
    if (this.#first === listener) this.#first = undefined
    else this.#others?.delete(listener)
    if (this.#first !== undefined || (this.#others?.size ?? 0) > 0) return
    this.#signal.removeEventListener('abort', this.#tell)
    if (last === this) last = undefined
    if (this.#others !== undefined) shared.delete(this.#signal)
  }

  readonly #tell = (): void => {
    this.#first?.()
    for (const listener of this.#others ?? []) listener()
  }
}
