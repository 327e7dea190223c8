import { keyFault } from './key.ts'
import type { QueryField } from './query-field.ts'
import { compareFields, isInRange, isMet } from './query-range.ts'
import type { EdgeRange } from './query-range.ts'
import { rangeBehindCursor } from './query-plan.ts'
import type { PlannedCondition, QueryPlan } from './query-plan.ts'
import type { QueryEntry } from './query.ts'
import type { KeyRange } from './store.ts'
import { compareKeys } from './key-order.ts'
import { sortSteps } from './sort-steps.ts'
import type { IndexValue } from './value-order.ts'

/** The children of a node, as far as a query looks at them. */
export interface QueriedChildren {
  /** Keys in key order, or the reverse. */
  keys(range: KeyRange): Iterable<string>
  has(key: string): boolean
  /** What a field of a child counts as. */
  field(key: string, field: QueryField): IndexValue
}

/** Children that are looked at before whoever asked can do something else. */
const pauseLength = 256

/** Says after how many children it is time for a pause. */
export class PauseCount {
  readonly #length: number
  #looked = 0

  /** For children of which each has to meet so many conditions. */
  static forConditions(count: number): PauseCount {
    return new PauseCount(Math.ceil(pauseLength / Math.max(count, 1)))
  }

  /** @param length How many are looked at before a pause. */
  constructor(length: number = pauseLength) {
    this.#length = length
  }

  /** Counts a child. @returns whether to pause. */
  next(): boolean {
    return ++this.#looked % this.#length === 0
  }
}

/**
 * The children that match a query, limits aside, found by going through all of them, or by key through
 * those in its range. Pauses are `undefined`.
 *
 * @param descending From the largest to the smallest, rather than the reverse.
 */
export function* matchingChildren(
  plan: QueryPlan,
  children: QueriedChildren,
  descending: boolean,
): Generator<QueryEntry | undefined, void, void> {
  const range = rangeBehindCursor(plan, (key) => children.field(key, plan.order))
  const found =
    plan.order.kind === 'key'
      ? childrenByKey(children, range, descending)
      : sortedChildren(plan.order, children, range, descending)
  const pauses = PauseCount.forConditions(plan.filters.length)
  for (const entry of found) {
    if (entry === undefined || meetsAll(plan.filters, children, entry.key)) yield entry
    if (pauses.next()) yield undefined
  }
}

/** Whether a child meets conditions. */
function meetsAll(
  filters: readonly PlannedCondition[],
  children: QueriedChildren,
  key: string,
): boolean {
  return filters.every(({ field, condition }) =>
    isMet(field, condition, children.field(key, field)),
  )
}

/** The children whose keys lie in a range of keys. */
function* childrenByKey(
  children: QueriedChildren,
  { low, high }: EdgeRange,
  descending: boolean,
): Generator<QueryEntry, void, void> {
  const after = low?.value as string | undefined
  const before = high?.value as string | undefined
  if (after !== undefined && before !== undefined) {
    const order = compareKeys(after, before)
    // A range of keys that ends before it begins is the caller's to notice.
    if (order > 0 || (order === 0 && !(low!.side === 'before' && high!.side === 'behind'))) return
  }
  // Ranges of keys leave their ends out.
  const includes: string[] = []
  if (low?.side === 'before' && isChild(children, after!)) includes.push(after!)
  const hasLast = high?.side === 'behind' && before !== after && isChild(children, before!)
  const first = descending ? (hasLast ? before : undefined) : includes[0]
  const last = descending ? includes[0] : hasLast ? before : undefined
  if (first !== undefined) yield { key: first, value: first }
  const range: KeyRange = {
    reverse: descending,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
  }
  if (after === undefined || after !== before) {
    for (const key of children.keys(range)) yield { key, value: key }
  }
  if (last !== undefined) yield { key: last, value: last }
}

function isChild(children: QueriedChildren, key: string): boolean {
  return keyFault(key) === undefined && children.has(key)
}

function* sortedChildren(
  order: QueryField,
  children: QueriedChildren,
  range: EdgeRange,
  descending: boolean,
): Generator<QueryEntry | undefined, void, void> {
  const found: QueryEntry[] = []
  const pauses = new PauseCount()
  for (const key of children.keys({})) {
    const value = children.field(key, order)
    if (isInRange(order, value, key, range)) found.push({ key, value })
    if (pauses.next()) yield undefined
  }
  // They came in key order, and sorting keeps the order of equal ones.
  const compare = (a: QueryEntry, b: QueryEntry): number => compareFields(order, a.value, b.value)
  const entries = yield* sortSteps(found, compare, undefined)
  if (descending) entries.reverse()
  yield* entries
}
