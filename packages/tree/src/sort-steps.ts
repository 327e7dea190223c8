/** Items that are sorted, or merged, before whoever asked can do something else. */
const runLength = 1024

/**
 * Sorts as `Array.prototype.sort` does, and keeps the order of equal items. Yields `rest` now and then where there are many.
 * @param items An array that nobody needs any more.
 */
export function* sortSteps<T, P>(
  items: T[],
  compare: (a: T, b: T) => number,
  rest: P,
): Generator<P, T[], void> {
  const { length } = items
  if (length <= runLength) return items.toSorted(compare)
  let from: T[] = []
  for (let start = 0; start < length; start += runLength) {
    for (const item of items.slice(start, start + runLength).toSorted(compare)) from.push(item)
    yield rest
  }
  let to = items
  for (let width = runLength; width < length; width *= 2) {
    for (let start = 0; start < length; start += 2 * width) {
      const merging = new Merging(from, to, start, width, compare)
      while (merging.next()) yield rest
    }
    ;[from, to] = [to, from]
  }
  return from
}

/** Puts two runs that are in order, one behind the other, into the same place of another array as one. */
class Merging<T> {
  readonly #from: readonly T[]
  readonly #to: T[]
  readonly #compare: (a: T, b: T) => number
  readonly #middle: number
  readonly #end: number
  #left: number
  #right: number
  #at: number

  constructor(
    from: readonly T[],
    to: T[],
    start: number,
    width: number,
    compare: (a: T, b: T) => number,
  ) {
    this.#from = from
    this.#to = to
    this.#compare = compare
    const middle = Math.min(start + width, from.length)
    this.#end = Math.min(start + 2 * width, from.length)
    // In order already, they are one run.
    const isOne = middle === from.length || compare(from[middle - 1]!, from[middle]!) <= 0
    this.#middle = isOne ? this.#end : middle
    this.#left = start
    this.#right = this.#middle
    this.#at = start
  }

  /** Merges some. @returns whether there are more */
  next(): boolean {
    const from = this.#from
    const to = this.#to
    const compare = this.#compare
    const middle = this.#middle
    const end = this.#end
    const stop = Math.min(this.#at + runLength, end)
    let left = this.#left
    let right = this.#right
    let at = this.#at
    while (at < stop && left < middle && right < end) {
      to[at++] = compare(from[left]!, from[right]!) <= 0 ? from[left++]! : from[right++]!
    }
    while (at < stop) to[at++] = left < middle ? from[left++]! : from[right++]!
    this.#left = left
    this.#right = right
    this.#at = at
    return at < end
  }
}
