/**
 * Gathers what is begun in one turn of the event loop. To wake another thread takes as long as to parse a
 * request, so that while all of them have something to do, what arrives together is handed over together.
 */
export class Turn {
  #end: Promise<void> | undefined

  /** Resolves when what has arrived in this turn of the event loop has been looked at. */
  end(): Promise<void> {
    return (this.#end ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#end = undefined
        resolve()
      })
    }))
  }
}
