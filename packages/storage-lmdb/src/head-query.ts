import {
  PauseCount,
  childPath,
  compareFields,
  isInRange,
  isMet,
  matchingChildren,
  rangeBehindCursor,
  rangeOf,
  sortSteps,
} from '@elkyn/tree'
import type {
  Edge,
  EdgeRange,
  IndexValue,
  JsonForm,
  KeyRange,
  Path,
  PlannedCondition,
  QueriedChildren,
  QueryEntry,
  QueryField,
  QueryPlan,
  QueryReading,
} from '@elkyn/tree'
import type { Entry, Head } from './entry.ts'
import { entryField } from './entry-field.ts'
import type { StoredIndex } from './index-catalog.ts'
import { countInIndex, scanIndex } from './index-scan.ts'
import type { IndexScan } from './index-scan.ts'
import { HeadMark } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import type { Reader } from './readers.ts'

/** What serves a query below a head. */
export interface Serving {
  readonly index: StoredIndex
  /** The condition that it serves; `undefined` where it gives the order. */
  readonly served: PlannedCondition | undefined
}

/** The children of a head, as a query reads them. */
export class HeadQuery implements QueryReading, QueriedChildren {
  readonly isBranch = true
  readonly #lmdb: Lmdb
  readonly #reader: Reader
  readonly #head: Head
  readonly #path: Path
  readonly #plan: QueryPlan
  readonly #serving: Serving | undefined
  readonly #jsonBlocks: (path: Path, form: JsonForm) => Iterable<Uint8Array> | undefined
  /** The child that was looked at last. */
  #last: { readonly key: string; readonly entry: Entry | undefined } | undefined

  constructor(
    lmdb: Lmdb,
    reader: Reader,
    head: Head,
    path: Path,
    plan: QueryPlan,
    serving: Serving | undefined,
    jsonBlocks: (path: Path, form: JsonForm) => Iterable<Uint8Array> | undefined,
  ) {
    this.#lmdb = lmdb
    this.#reader = reader
    this.#head = head
    this.#path = path
    this.#plan = plan
    this.#serving = serving
    this.#jsonBlocks = jsonBlocks
  }

  keys(range: KeyRange = {}): Iterable<string> {
    return this.#reader.names(this.#head.number, range)
  }

  has(key: string): boolean {
    return this.#entry(key) !== undefined
  }

  field(key: string, field: QueryField): IndexValue {
    if (field.kind === 'key') return key
    const entry = this.#entry(key)
    return entry === undefined ? null : entryField(this.#reader, entry, field)
  }

  json(key: string, form: JsonForm): Iterable<Uint8Array> {
    return this.#jsonBlocks(childPath(this.#path, key), form) ?? []
  }

  matches(descending: boolean): Iterable<QueryEntry | undefined> {
    const serving = this.#serving
    if (serving === undefined && !this.#isUnranked()) {
      return matchingChildren(this.#plan, this, descending)
    }
    const range = rangeBehindCursor(this.#plan, (key) => this.field(key, this.#plan.order))
    if (serving === undefined) return this.#inKeyOrder(range, descending)
    const { served } = serving
    if (served === undefined) return this.#found(serving, range, descending)
    return isEquality(served) && this.#plan.order.kind === 'key'
      ? this.#byKey(serving, served, range, descending)
      : this.#sorted(serving, served, range, descending)
  }

  countMatches(): number | undefined {
    const { range, filters, cursor } = this.#plan
    const serving = this.#serving
    if (cursor !== undefined) return undefined
    if (serving === undefined) {
      const isAll = range.low === undefined && range.high === undefined && filters.length === 0
      return isAll ? this.#lmdb.countNames(this.#head.number, this.#reader.options) : undefined
    }
    if (serving.served === undefined) {
      return filters.length > 0 ? undefined : countInIndex(this.#scan(serving.index), range)
    }
    // By key or priority, with nothing else that a child has to meet.
    const isOnly = filters.length === 1 && range.low === undefined && range.high === undefined
    if (!isOnly) return undefined
    return countInIndex(this.#scan(serving.index), servedRange(serving.served))
  }

  /** Whether the order is that of priorities and no child has one, so that it is key order. */
  #isUnranked(): boolean {
    if (this.#plan.order.kind !== 'priority') return false
    return !this.#lmdb.isMarked(this.#head.number, HeadMark.ranked, this.#reader.options)
  }

  /** The children in a range of priorities, where all have none. */
  *#inKeyOrder({ low, high }: EdgeRange, descending: boolean): Iterable<QueryEntry | undefined> {
    // Behind nothing there is nobody, and nobody before it.
    if (low !== undefined && (low.value !== null || isOutside(low, 'behind'))) return
    if (high !== undefined && high.value === null && isOutside(high, 'before')) return
    const range = { low: edgeOfKey(low), high: high?.value === null ? edgeOfKey(high) : undefined }
    const plan = { ...this.#plan, order: keyField, range, cursor: undefined }
    for (const entry of matchingChildren(plan, this, descending)) {
      yield entry && { key: entry.key, value: null }
    }
  }

  /** The children that an index finds in a range and that meet the other conditions. */
  *#found(
    { index, served }: Serving,
    range: EdgeRange,
    descending: boolean,
  ): Iterable<QueryEntry | undefined> {
    const pauses = PauseCount.forConditions(this.#plan.filters.length)
    for (const entry of scanIndex(this.#scan(index), range, descending)) {
      if (entry === undefined || this.#meets(entry.key, served)) yield entry
      if (pauses.next()) yield undefined
    }
  }

  /** Children that are equal in an index stand there in key order. */
  *#byKey(
    serving: Serving,
    served: PlannedCondition,
    keys: EdgeRange,
    descending: boolean,
  ): Iterable<QueryEntry | undefined> {
    const { value } = served.condition
    const all = servedRange(served)
    const range = {
      low: keyEdge(keys.low, value) ?? all.low,
      high: keyEdge(keys.high, value) ?? all.high,
    }
    for (const entry of this.#found(serving, range, descending)) {
      yield entry && { key: entry.key, value: entry.key }
    }
  }

  /** Children that an index finds, in another order than its own. */
  *#sorted(
    serving: Serving,
    served: PlannedCondition,
    range: EdgeRange,
    descending: boolean,
  ): Generator<QueryEntry | undefined, void, void> {
    const { order } = this.#plan
    const found: QueryEntry[] = []
    for (const entry of this.#found(serving, servedRange(served), false)) {
      if (entry === undefined) {
        yield undefined
        continue
      }
      const { key } = entry
      const value = this.field(key, order)
      if (isInRange(order, value, key, range)) found.push({ key, value })
    }
    const compare = (a: QueryEntry, b: QueryEntry): number =>
      compareFields(order, a.value, b.value) || compareFields(keyField, a.key, b.key)
    const entries = yield* sortSteps(found, compare, undefined)
    yield* descending ? entries.toReversed() : entries
  }

  #scan(index: StoredIndex): IndexScan {
    return {
      lmdb: this.#lmdb,
      head: this.#head.number,
      index,
      options: this.#reader.options,
      valueOf: (name) => this.field(name, index.field),
    }
  }

  /** Whether a child meets the conditions, but for the one that an index served. */
  #meets(key: string, served: PlannedCondition | undefined): boolean {
    return this.#plan.filters.every(
      (filter) =>
        filter === served || isMet(filter.field, filter.condition, this.field(key, filter.field)),
    )
  }

  #entry(key: string): Entry | undefined {
    if (this.#last?.key !== key) {
      this.#last = { key, entry: this.#reader.entry(this.#head.number, key) }
    }
    return this.#last.entry
  }
}

const keyField: QueryField = { name: '$key', kind: 'key', keys: [] }

function isEquality({ condition }: PlannedCondition): boolean {
  return condition.op === '=='
}

function servedRange({ field, condition }: PlannedCondition): EdgeRange {
  return rangeOf(field, condition)!
}

function isOutside(edge: Edge, side: Edge['side']): boolean {
  return edge.key === undefined && edge.side === side
}

/** Where an edge among children with one value lies among their keys. */
function edgeOfKey(edge: Edge | undefined): Edge | undefined {
  return edge?.key === undefined ? undefined : { value: edge.key, key: undefined, side: edge.side }
}

/** Where an edge among keys lies among the children with one value. */
function keyEdge(edge: Edge | undefined, value: IndexValue): Edge | undefined {
  return edge && { value, key: edge.value as string, side: edge.side }
}
