// Thousands of tasks may have one signal, and Node.js looks through all its listeners to add or to remove one. So it has
// one here for all of them, from the second on that comes right behind another. To look up each signal would cost those
// that have one task as much as all else that is done for a task. Where tasks of several signals come in turn, each of them gets
// some more before it is looked up.
const shared = new Map<AbortSignal, AbortListeners>()
let last: AbortListeners | undefined

/** How likely a signal is to be looked up from then on when another one comes. By chance, to hold for tasks in any order. */
const knownPart = 1 / 8

/** What is to be called when a signal aborts. */
export class AbortListeners {
  readonly #signal: AbortSignal
  #isShared = false
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
    if (known === undefined) {
      if (last !== undefined && Math.random() < knownPart) last.#share()
      return (last = new AbortListeners(signal, listener))
    }
    known.#share()
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
    if (this.#isShared) shared.delete(this.#signal)
  }

  #share(): void {
    if (this.#isShared) return
    this.#isShared = true
    shared.set(this.#signal, this)
  }

  readonly #tell = (): void => {
    this.#first?.()
    for (const listener of this.#others ?? []) listener()
  }
}
