import { fillArray, isIndexKey, quote } from './canonical.ts'
import { compareKeys } from './key-order.ts'
import { PauseCount } from './query-children.ts'
import { writeCursor } from './query-cursor.ts'
import type { QueryPlan } from './query-plan.ts'
import type { QueryEntry, QueryResult } from './query.ts'
import { sortSteps } from './sort-steps.ts'
import type { JsonForm } from './store.ts'

/** What a store says of the children of one node, to somebody who makes a result of it. */
export interface QueryReading {
  /** Whether the node has children at all. */
  readonly isBranch: boolean
  /**
   * The children that match, limits aside, in the order of the query's field from the smallest on, or
   * from the largest. Read while they are taken, with `undefined` now and then where many were looked at.
   */
  matches(descending: boolean): Iterable<QueryEntry | undefined>
  /** Number of those where it is known without walking through them. */
  countMatches(): number | undefined
  /** All keys of the node in key order. */
  keys(): Iterable<string>
  /** The value of a child that was found. */
  json(key: string, form: JsonForm): Iterable<Uint8Array>
}

/** The result of a query, made of what a store says of the children. */
export function queryResult(plan: QueryPlan, reading: QueryReading): QueryResult {
  return new ReadResult(plan, reading)
}

/** The same result, which calls `check` before each step of reading it. */
export function checkedResult(result: QueryResult, check: () => void): QueryResult {
  function* checked<T>(items: Iterable<T>): Generator<T, void, void> {
    check()
    for (const item of items) {
      yield item
      check()
    }
  }
  function* checkedSteps<T, R>(steps: Generator<T, R, void>): Generator<T, R, void> {
    try {
      for (;;) {
        check()
        const { done, value } = steps.next()
        if (done === true) return value
        yield value
      }
    } finally {
      // Where they are given up, what they read from has to end.
      steps.return(undefined as R)
    }
  }
  return {
    entries: () => checked(result.entries()),
    count() {
      check()
      return result.count()
    },
    cursor() {
      check()
      return result.cursor()
    },
    pageSteps: () => checkedSteps(result.pageSteps()),
    countSteps: () => checkedSteps(result.countSteps()),
    jsonBlocks(form) {
      check()
      const blocks = result.jsonBlocks(form)
      return blocks && checked(blocks)
    },
  }
}

/** The children where their number is limited, and whether no more follow. */
interface Page {
  readonly entries: readonly QueryEntry[]
  readonly isLast: boolean
}

class ReadResult implements QueryResult {
  readonly #plan: QueryPlan
  readonly #reading: QueryReading
  #page: Page | undefined

  constructor(plan: QueryPlan, reading: QueryReading) {
    this.#plan = plan
    this.#reading = reading
  }

  *entries(): Iterable<QueryEntry> {
    if (!this.#reading.isBranch) return
    if (this.#plan.limit === Infinity) yield* found(this.#reading.matches(this.#plan.isReverse))
    else yield* this.#limited().entries
  }

  count(): number {
    return resultOf(this.countSteps())
  }

  *countSteps(): Generator<undefined, number, void> {
    if (!this.#reading.isBranch) return 0
    if (this.#page !== undefined) return this.#page.entries.length
    const { limit } = this.#plan
    const known = this.#reading.countMatches()
    if (known !== undefined) return Math.min(known, limit)
    let count = 0
    for (const entry of this.#reading.matches(false)) {
      if (entry === undefined) yield entry
      else if (++count === limit) break
    }
    return count
  }

  cursor(): string | undefined {
    const { limit, isFromLast, signature } = this.#plan
    if (limit === Infinity || isFromLast || !this.#reading.isBranch) return undefined
    const { entries, isLast } = this.#limited()
    const last = entries.at(-1)
    return isLast || last === undefined ? undefined : writeCursor(last, signature)
  }

  *pageSteps(): Generator<QueryEntry | undefined, string | undefined, void> {
    if (!this.#reading.isBranch) return undefined
    const { limit, isFromLast, isReverse, signature } = this.#plan
    if (isFromLast) {
      this.#page ??= yield* this.#readPage(undefined)
      yield* this.#page.entries
      return undefined
    }
    let count = 0
    let last: QueryEntry | undefined
    for (const entry of this.#reading.matches(isReverse)) {
      if (count === limit && entry !== undefined) return last && writeCursor(last, signature)
      yield entry
      if (entry === undefined) continue
      last = entry
      count++
    }
    return undefined
  }

  jsonBlocks(form: JsonForm = 'plain'): Iterable<Uint8Array> | undefined {
    return this.#reading.isBranch ? this.#blocks(form) : undefined
  }

  *#blocks(form: JsonForm): Generator<Uint8Array, void, void> {
    const keys = yield* this.#keys(pause)
    const isArray = form === 'plain' && (yield* isArrayOf(keys, pause))
    const packer = new BlockPacker()
    packer.text(isArray ? '[' : '{')
    let written = 0
    for (const key of keys()) {
      if (key === undefined) {
        yield pause
        continue
      }
      if (isArray) {
        for (; written < Number(key); written++) packer.text(written === 0 ? 'null' : ',null')
      }
      packer.text((written === 0 ? '' : ',') + (isArray ? '' : `${quote(key)}:`))
      written++
      for (const bytes of this.#reading.json(key, form)) {
        packer.bytes(bytes)
        yield* packer.full()
      }
    }
    packer.text(isArray ? ']' : '}')
    yield* packer.full()
    yield packer.rest()
  }

  /** The keys that were found, in key order, to be gone through several times. Yields `rest` now and then. */
  *#keys<P>(rest: P): Generator<P, () => Iterable<string | undefined>, void> {
    const { order, range, filters, cursor, limit, isReverse } = this.#plan
    const isBounded = range.low !== undefined || range.high !== undefined || cursor !== undefined
    if (limit === Infinity && filters.length === 0 && !isBounded) return () => this.#reading.keys()
    // A long result in key order is read twice rather than held.
    if (limit === Infinity && order.kind === 'key')
      return () => keysOf(this.#reading.matches(false))
    const keys: string[] = []
    if (limit === Infinity) {
      for (const key of keysOf(this.#reading.matches(isReverse))) {
        if (key === undefined) yield rest
        else keys.push(key)
      }
    } else {
      this.#page ??= yield* this.#readPage(rest)
      for (const { key } of this.#page.entries) keys.push(key)
    }
    const sorted = yield* sortSteps(keys, compareKeys, rest)
    return () => sorted
  }

  #limited(): Page {
    return (this.#page ??= resultOf(this.#readPage(undefined)))
  }

  /** Yields `rest` now and then. */
  *#readPage<P>(rest: P): Generator<P, Page, void> {
    const { limit, isFromLast, isReverse } = this.#plan
    const entries: QueryEntry[] = []
    let isLast = true
    for (const entry of this.#reading.matches(isReverse !== isFromLast)) {
      if (entry === undefined) {
        yield rest
        continue
      }
      if (entries.length === limit) {
        isLast = false
        break
      }
      entries.push(entry)
      // Only who pages needs to know what follows.
      if (isFromLast && entries.length === limit) break
    }
    if (isFromLast) entries.reverse()
    return { entries, isLast }
  }
}

/** Stands among blocks where much was looked at and nothing is to be said yet. */
const pause = new Uint8Array()

function* found(entries: Iterable<QueryEntry | undefined>): Iterable<QueryEntry> {
  for (const entry of entries) if (entry !== undefined) yield entry
}

function* keysOf(entries: Iterable<QueryEntry | undefined>): Iterable<string | undefined> {
  for (const entry of entries) yield entry?.key
}

/** What steps come to, without a pause. */
function resultOf<R>(steps: Generator<undefined, R, void>): R {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** To look at a key alone takes a fraction of the time that a child takes. */
const keysPauseLength = 2048

/**
 * Whether children with these keys are rendered as an array; stops at the first key that says no. Yields
 * `rest` now and then.
 */
function* isArrayOf<P>(
  keys: () => Iterable<string | undefined>,
  rest: P,
): Generator<P, boolean, void> {
  let size = 0
  let last = '0'
  const pauses = new PauseCount(keysPauseLength)
  for (const key of keys()) {
    if (key !== undefined) {
      if (!isIndexKey(key)) return false
      size++
      last = key
    }
    if (key === undefined || pauses.next()) yield rest
  }
  return fillArray(size, last)
}

const blockBytes = 64 * 1024
const encoder = new TextEncoder()

/** Puts pieces of text together to blocks. */
class BlockPacker {
  readonly #full: Uint8Array[] = []
  #block = new Uint8Array(blockBytes)
  #end = 0

  text(text: string): void {
    this.bytes(encoder.encode(text))
  }

  bytes(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#block.length) {
      if (this.#end > 0) this.#full.push(this.rest())
      this.#block = new Uint8Array(Math.max(blockBytes, bytes.length))
      this.#end = 0
    }
    this.#block.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** The blocks that have no more room. */
  *full(): Generator<Uint8Array, void, void> {
    for (let block = this.#full.shift(); block !== undefined; block = this.#full.shift())
      yield block
  }

  rest(): Uint8Array {
    return this.#block.subarray(0, this.#end)
  }
}
