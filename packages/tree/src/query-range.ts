import { compareKeys } from './key-order.ts'
import type { QueryBound, QueryCondition } from './query.ts'
import type { QueryField } from './query-field.ts'
import { anyBranch, compareIndexValues, isSameKind } from './value-order.ts'
import type { IndexValue } from './value-order.ts'

/** A point in an order, between two children or before or behind all with one value. */
export interface Edge {
  readonly value: IndexValue
  /** Next to this child; `undefined`: next to all with the value. */
  readonly key: string | undefined
  readonly side: 'before' | 'behind'
}

/** Children between two points of an order; a missing one is an end of the order. */
export interface EdgeRange {
  readonly low: Edge | undefined
  readonly high: Edge | undefined
}

/** Compares values of a field: keys in key order, all others in value order. */
export function compareFields(field: QueryField, a: IndexValue, b: IndexValue): number {
  return field.kind === 'key' ? compareKeys(a as string, b as string) : compareIndexValues(a, b)
}

/** Whether a child lies behind (positive) or before (negative) an edge. It never lies on it. */
function compareToEdge(field: QueryField, value: IndexValue, key: string, edge: Edge): number {
  const order = compareFields(field, value, edge.value)
  if (order !== 0) return order
  const keyOrder = edge.key === undefined ? 0 : compareKeys(key, edge.key)
  if (keyOrder !== 0) return keyOrder
  return edge.side === 'before' ? 1 : -1
}

export function isInRange(
  field: QueryField,
  value: IndexValue,
  key: string,
  { low, high }: EdgeRange,
): boolean {
  return (
    (low === undefined || compareToEdge(field, value, key, low) > 0) &&
    (high === undefined || compareToEdge(field, value, key, high) < 0)
  )
}

export function startEdge({ value, key, isExclusive }: QueryBound): Edge {
  return { value, key, side: isExclusive === true ? 'behind' : 'before' }
}

export function endEdge({ value, key, isExclusive }: QueryBound): Edge {
  return { value, key, side: isExclusive === true ? 'before' : 'behind' }
}

/** The children that are in both ranges. */
export function intersect(field: QueryField, a: EdgeRange, b: EdgeRange): EdgeRange {
  return {
    low: chosen(a.low, b.low, (left, right) => compareEdges(field, left, right) >= 0),
    high: chosen(a.high, b.high, (left, right) => compareEdges(field, left, right) <= 0),
  }
}

function chosen(
  a: Edge | undefined,
  b: Edge | undefined,
  isFirst: (a: Edge, b: Edge) => boolean,
): Edge | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return isFirst(a, b) ? a : b
}

function compareEdges(field: QueryField, a: Edge, b: Edge): number {
  const order = compareFields(field, a.value, b.value)
  if (order !== 0) return order
  if (a.key !== undefined && b.key !== undefined) {
    return compareKeys(a.key, b.key) || sideOf(a) - sideOf(b)
  }
  // An edge next to a child lies between the edges around all children with the value.
  if (a.key === undefined && b.key === undefined) return sideOf(a) - sideOf(b)
  return a.key === undefined ? sideOf(a) : -sideOf(b)
}

function sideOf({ side }: Edge): number {
  return side === 'before' ? -1 : 1
}

/**
 * The range of a field where a condition holds, so that an index can serve it; `undefined` for `!=`,
 * which holds on both sides of one.
 */
export function rangeOf(field: QueryField, { op, value }: QueryCondition): EdgeRange | undefined {
  if (op === '!=') return undefined
  const before: Edge = { value, key: undefined, side: 'before' }
  const behind: Edge = { value, key: undefined, side: 'behind' }
  const all = field.kind === 'key' ? { low: undefined, high: undefined } : kindRange(value)
  if (op === '==') return { low: before, high: behind }
  if (op === '<') return { low: all.low, high: before }
  if (op === '<=') return { low: all.low, high: behind }
  return { low: op === '>' ? behind : before, high: all.high }
}

/** All values of the kind of one. */
function kindRange(value: IndexValue): EdgeRange {
  const [first, last] = kindEnds(value)
  return {
    low: { value: first, key: undefined, side: 'before' },
    high: { value: last, key: undefined, side: typeof value === 'string' ? 'before' : 'behind' },
  }
}

function kindEnds(value: IndexValue): readonly [IndexValue, IndexValue] {
  if (typeof value === 'boolean') return [false, true]
  if (typeof value === 'number') return [-Infinity, Infinity]
  // No string is the last one: they end where branches begin.
  return typeof value === 'string' ? ['', anyBranch] : [value, value]
}

/** Whether a condition holds for what a field of a child counts as. */
export function isMet(
  field: QueryField,
  { op, value: wanted }: QueryCondition,
  value: IndexValue,
): boolean {
  const order = compareFields(field, value, wanted)
  if (op === '==') return order === 0
  if (op === '!=') return order !== 0
  if (!isSameKind(value, wanted)) return false
  if (op === '<') return order < 0
  if (op === '<=') return order <= 0
  return op === '>' ? order > 0 : order >= 0
}
