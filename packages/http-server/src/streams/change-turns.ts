import type { Change } from '@elkyn/tree'

/** How long one turn of the event loop may be spent on telling, in milliseconds. */
const turnMs = 1

/**
 * With so many changes that wait, a turn takes as long again. Else they would come without end where writes take less than to
 * tell of them: the longer the turns are, the later come further writes.
 */
const waitingPerTurn = 4

/** Steps between two looks at the clock. */
const stepsAtOnce = 16

/**
 * Has changes told, each when all before it have been told of. What concerns many takes several turns of the event loop,
 * between which something else can be done, and the less of it, the more changes wait.
 */
export class ChangeTurns {
  readonly #tell: (change: Change) => Iterator<number>
  readonly #waiting: Change[] = []
  #telling: Iterator<number> | undefined
  #next: NodeJS.Immediate | undefined

  /** @param tell Begins to tell of a change. Yields how many small steps it has done. */
  constructor(tell: (change: Change) => Iterator<number>) {
    this.#tell = tell
  }

  /** The last one of those that not all have been told of. */
  get newest(): Change | undefined {
    return this.#waiting.at(-1)
  }

  add(changes: readonly Change[]): void {
    for (const change of changes) this.#waiting.push(change)
    if (this.#next === undefined) this.#run()
  }

  /** Forgets those that not all have been told of. */
  clear(): void {
    this.#waiting.length = 0
    this.#telling = undefined
    clearImmediate(this.#next)
    this.#next = undefined
  }

  #run(): void {
    this.#next = undefined
    const waiting = this.#waiting
    const end = performance.now() + turnMs * (1 + waiting.length / waitingPerTurn)
    let told = 0
    let steps = 0
    while (told < waiting.length) {
      this.#telling ??= this.#tell(waiting[told]!)
      const { done, value } = this.#telling.next()
      if (done === true) {
        this.#telling = undefined
        told++
      }
      steps += done === true ? 1 : value
      if (steps < stepsAtOnce) continue
      steps = 0
      if (performance.now() < end) continue
      if (told < waiting.length) this.#next = setImmediate(() => this.#run())
      break
    }
    waiting.splice(0, told)
  }
}
