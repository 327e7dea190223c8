import { TreeError } from './errors.ts'
import { checkKey } from './key.ts'
import { shortKeyBound } from './key-order.ts'
import type { Leaf } from './node.ts'
import type { Path } from './path.ts'
import { placeValue, readCursor } from './query-cursor.ts'
import type { CursorPlace } from './query-cursor.ts'
import { parseField } from './query-field.ts'
import type { QueryField } from './query-field.ts'
import { endEdge, intersect, rangeOf, startEdge } from './query-range.ts'
import type { Edge, EdgeRange } from './query-range.ts'
import { queryOperators } from './query.ts'
import type { QueryBound, QueryCondition, TreeQuery } from './query.ts'
import type { IndexValue } from './value-order.ts'

/** A condition with its field parsed. */
export interface PlannedCondition {
  readonly field: QueryField
  readonly condition: QueryCondition
}

/** A query that was checked, with what its parts come to. */
export interface QueryPlan {
  readonly order: QueryField
  /** What bounds and conditions on the order itself leave of it. */
  readonly range: EdgeRange
  /** Where the page before ended. */
  readonly cursor: CursorPlace | undefined
  /** Conditions that the range does not say. */
  readonly filters: readonly PlannedCondition[]
  readonly isReverse: boolean
  /** At most so many children; `Infinity` for all. */
  readonly limit: number
  /** Whether the limit keeps the last ones. */
  readonly isFromLast: boolean
  /** Everything that a cursor depends on. */
  readonly signature: string
}

/** So many conditions a query may have; each one costs a look at every child that is tried. */
const maxConditions = 100

/**
 * Checks a query that a program has made.
 *
 * @throws {TypeError} without an `orderBy`.
 * @throws {RangeError} for limits, bounds and conditions that make no sense, by themselves or together.
 * @throws {TreeError} `ERR_INVALID_PATH` and `ERR_PATH_TOO_LONG` for a field, `ERR_INVALID_KEY` for the
 * key of a bound, `ERR_INVALID_CURSOR` for a cursor that no query has given, or another one.
 */
export function checkQuery(query: TreeQuery): void {
  planQuery(query)
}

/** Checks a query and says what it comes to. @throws as {@link checkQuery}. */
export function planQuery(query: TreeQuery): QueryPlan {
  const order = parseField(query.orderBy)
  const { reverse = false, limitToFirst, limitToLast, cursor } = query
  const start = query.start && plannedBound('start', query.start, order)
  const end = query.end && plannedBound('end', query.end, order)
  const limit = checkedLimit(limitToFirst, limitToLast)
  const conditions = plannedConditions(query.where ?? [])
  const signature = signatureOf(query, order, conditions)
  let range: EdgeRange = { low: start && startEdge(start), high: end && endEdge(end) }
  if (cursor !== undefined && limitToLast !== undefined) {
    throw new RangeError('Cannot query: a cursor goes with limitToFirst. Use reverse to go back')
  }
  const filters: PlannedCondition[] = []
  for (const planned of conditions) {
    const served = planned.field.name === order.name && rangeOf(order, planned.condition)
    if (served) range = intersect(order, range, served)
    else filters.push(planned)
  }
  return {
    order,
    range,
    cursor: cursor === undefined ? undefined : readCursor(cursor, signature, order),
    filters,
    isReverse: reverse,
    limit,
    isFromLast: limitToLast !== undefined,
    signature,
  }
}

/**
 * The range of a plan behind its cursor.
 *
 * @param current What a child is ordered by now. Asked only where the cursor does not say all.
 * @throws {TreeError} `ERR_INVALID_CURSOR` where that is not enough either.
 */
export function rangeBehindCursor(
  { order, range, cursor, isReverse }: QueryPlan,
  current: (key: string) => IndexValue,
): EdgeRange {
  if (cursor === undefined) return range
  const value = placeValue(cursor, () => current(cursor.key))
  const key = order.kind === 'key' ? undefined : cursor.key
  const edge = (side: Edge['side']): Edge => ({ value, key, side })
  const behind = isReverse
    ? { low: undefined, high: edge('before') }
    : { low: edge('behind'), high: undefined }
  return intersect(order, range, behind)
}

/** Says whether there is an index of a field where a query is asked. */
export type HasIndex = (field: QueryField) => boolean

/** The index that children are found by. */
export type ServingIndex =
  | { readonly kind: 'order'; readonly field: QueryField }
  | { readonly kind: 'condition'; readonly field: QueryField; readonly served: PlannedCondition }

/**
 * Chooses the index that serves a query: that of its order, or for an order by key or priority that of
 * a condition. `undefined` where there is none.
 */
export function servingIndex(plan: QueryPlan, hasIndex: HasIndex): ServingIndex | undefined {
  const { order, filters } = plan
  if (order.kind !== 'key' && hasIndex(order)) return { kind: 'order', field: order }
  if (needsIndex(order)) return undefined
  const ready = filters.filter(({ field, condition }) => {
    return field.kind !== 'key' && condition.op !== '!=' && hasIndex(field)
  })
  // Those equal to one value are in key order already.
  const served = ready.find(({ condition }) => condition.op === '==') ?? ready[0]
  return served && { kind: 'condition', field: served.field, served }
}

/**
 * Refuses a query that nothing serves and that would have to look at the values of all children.
 * @throws {TreeError} `ERR_INDEX_NOT_DEFINED`
 */
export function checkServed(plan: QueryPlan, path: Path, serving: ServingIndex | undefined): void {
  if (serving !== undefined) return
  const { order, filters } = plan
  if (needsIndex(order)) throw indexNotDefined(path, order)
  const unserved = filters.filter(({ field }) => needsIndex(field))
  if (unserved.length === 0 || isKeyBound(plan)) return
  const servable = unserved.find(({ condition }) => condition.op !== '!=')
  throw servable === undefined ? noIndexServes(path) : indexNotDefined(path, servable.field)
}

/** Whether a query may look at some children only by their keys: `where` on a known child is no scan. */
function isKeyBound({ order, range: { low, high } }: QueryPlan): boolean {
  return order.kind === 'key' && low !== undefined && low.value === high?.value
}

function needsIndex({ kind }: QueryField): boolean {
  return kind === 'child' || kind === 'value'
}

function indexNotDefined(path: Path, { name }: QueryField): TreeError {
  const message = `Cannot query ${path} by "${name}": there is no index of it, or it is still being built`
  return new TreeError('ERR_INDEX_NOT_DEFINED', message, { path, index: name })
}

function noIndexServes(path: Path): TreeError {
  const message =
    `Cannot query ${path} by "!=" alone: no index finds what is not equal. ` +
    'Order by an indexed field, or add another condition on one'
  return new TreeError('ERR_INDEX_NOT_DEFINED', message, { path })
}

function plannedBound(name: 'start' | 'end', bound: QueryBound, order: QueryField): QueryBound {
  checkValue(`the ${name} of a query`, bound.value, order)
  if (bound.key !== undefined) {
    if (order.kind === 'key') {
      throw new RangeError(`Cannot query: by "$key", the ${name} is a key and has no other`)
    }
    checkKey(bound.key)
  }
  return { ...bound, value: plannedValue(bound.value, order) }
}

/** The value as it is compared with each child. */
function plannedValue(value: Leaf | null, { kind }: QueryField): Leaf | null {
  return kind === 'key' ? shortKeyBound(value as string) : value
}

function checkValue(what: string, value: unknown, { kind }: QueryField): asserts value is Leaf {
  if (kind === 'key' && typeof value !== 'string') {
    throw new RangeError(`Cannot query: ${what} by "$key" must be a string`)
  }
  if (kind === 'priority' && typeof value === 'boolean') {
    throw new RangeError(`Cannot query: ${what} by "$priority" must be a string, a number or null`)
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  throw new RangeError(`Cannot query: ${what} must be a string, a finite number, a boolean or null`)
}

function checkedLimit(first: number | undefined, last: number | undefined): number {
  if (first !== undefined && last !== undefined) {
    throw new RangeError('Cannot query: limitToFirst and limitToLast exclude each other')
  }
  const limit = first ?? last ?? Infinity
  if (limit === Infinity || (Number.isSafeInteger(limit) && limit > 0)) return limit
  throw new RangeError(`Cannot query: the limit ${limit} is not a whole number from 1`)
}

function plannedConditions(where: readonly QueryCondition[]): readonly PlannedCondition[] {
  if (where.length > maxConditions) {
    throw new RangeError(`Cannot query: ${where.length} conditions are more than ${maxConditions}`)
  }
  return where.map((condition) => {
    const { field: text, op, value } = condition
    const field = parseField(text)
    if (!queryOperators.includes(op)) {
      throw new RangeError(`Cannot query: "${op}" is not one of ${queryOperators.join(' ')}`)
    }
    checkValue('a condition', value, field)
    return { field, condition: { ...condition, value: plannedValue(value, field) } }
  })
}

function signatureOf(
  { start, end, reverse = false }: TreeQuery,
  order: QueryField,
  conditions: readonly PlannedCondition[],
): string {
  const boundOf = (bound: QueryBound | undefined) =>
    bound && [bound.value, bound.key, bound.isExclusive === true]
  const where = conditions.map(({ field, condition: { op, value } }) => [field.name, op, value])
  return JSON.stringify([order.name, reverse, boundOf(start), boundOf(end), where])
}
