import type { Change, ChangeCursor, TreeStore } from '@elkyn/tree'

/** Goes through the change with an id and those behind it, of any store. */
export function changesFrom(store: TreeStore, id: string): ChangeCursor {
  return store.cursorFrom?.(id) ?? new ChangesInTurn(store.changesFrom(id))
}

class ChangesInTurn implements ChangeCursor {
  readonly #changes: Iterator<Change>
  #change: Change | undefined

  constructor(changes: Iterable<Change>) {
    this.#changes = changes[Symbol.iterator]()
  }

  next(): boolean {
    const { done, value } = this.#changes.next() as IteratorResult<Change, undefined>
    if (done !== true) this.#change = value
    return done !== true
  }

  get sequence(): number {
    return this.change.sequence
  }

  get id(): string {
    return this.change.id
  }

  get change(): Change {
    const change = this.#change
    if (change === undefined) throw new TypeError('There is no change: none was gone to')
    return change
  }

  /** They are objects: to go to one is nothing. */
  get bytes(): number {
    return 0
  }

  get bytesRead(): number {
    return 0
  }

  copyPairs(): number {
    return 0
  }

  idle(): void {}

  [Symbol.dispose](): void {
    this.#changes.return?.()
  }
}
