import type { JsonForm } from './store.ts'
import type { Leaf } from './node.ts'
import type { IndexValue } from './value-order.ts'

/**
 * Which children of a node are asked for, and in which order. Plain data: it can be sent to another
 * thread or kept. What is wrong in it is said by `checkQuery`, and by whoever is given it.
 */
export interface TreeQuery {
  /**
   * What the children are ordered by: `$key`, `$value`, `$priority`, or a path below each child such
   * as `age` or `address/city`. Equal ones are in key order.
   */
  readonly orderBy: string
  /** Only children from here on. */
  readonly start?: QueryBound
  /** Only children up to here. With the same inclusive bound as `start`: those equal to it. */
  readonly end?: QueryBound
  /** Only so many, from the first one on. A natural number from 1. */
  readonly limitToFirst?: number
  /** Only so many, up to the last one. Not together with `limitToFirst`. */
  readonly limitToLast?: number
  /** Turns the order round before limits count: the first child is the largest. Default: false. */
  readonly reverse?: boolean
  /** Only children for which all of these hold. */
  readonly where?: readonly QueryCondition[]
  /**
   * Only children behind the one where another page ended, as `cursor()` of that page says. The rest of
   * the query is as it was for that page, but for `limitToFirst`. Not together with `limitToLast`.
   */
  readonly cursor?: string | undefined
}

/**
 * An end of a range of children. Values of different kinds follow each other, as `compareIndexValues`
 * says: a range from 3 on holds larger numbers, all strings and all objects.
 */
export interface QueryBound {
  /** Compared with what the children are ordered by; `null` is "nothing there". */
  readonly value: Leaf | null
  /** Among the children with this value, the one where the range ends; it need not exist. */
  readonly key?: string
  /**
   * Whether what is at the bound stays outside: the child `key`, or without one all children with
   * this value. Default: false.
   */
  readonly isExclusive?: boolean
}

/** How a {@link QueryCondition} may compare. */
export const queryOperators = ['==', '!=', '<', '<=', '>', '>='] as const

export type QueryOperator = (typeof queryOperators)[number]

/**
 * A condition on one field of the children. Other than a {@link QueryBound}, `<` and its kin hold among
 * values of one kind only: a number is less than other numbers, and never less than a string.
 */
export interface QueryCondition {
  /** As {@link TreeQuery.orderBy}. */
  readonly field: string
  readonly op: QueryOperator
  /** `null` is "nothing there": `== null` holds where the field is missing, `!= null` where it is not. */
  readonly value: Leaf | null
}

/** A child that a query found. */
export interface QueryEntry {
  readonly key: string
  /** What it was ordered by: a leaf, `null` for nothing there, or the empty object for any branch. */
  readonly value: IndexValue
}

/** What a query found. Belongs to the snapshot that was asked, and is read while that is open. */
export interface QueryResult {
  /** The children in the order of the query, read while they are taken; each call begins anew. */
  entries(): Iterable<QueryEntry>
  /** Number of the children. Reads no values of them, unless a condition has to look. */
  count(): number
  /**
   * Says where this page ends, for the `cursor` of the next one; `undefined` where the query has no
   * `limitToFirst`, or nothing follows. It stays right whatever is written meanwhile, also when the
   * last child is deleted, unless that is ordered by a text of more than 256 UTF-16 units: when that has changed
   * or gone, the next page is `ERR_INVALID_CURSOR`.
   */
  cursor(): string | undefined
  /**
   * The children in the order of the query and, returned behind the last one, the cursor. For whoever does
   * something else meanwhile: it gives `undefined` now and then, where many children were looked at.
   */
  pageSteps(): Generator<QueryEntry | undefined, string | undefined, void>
  /** What {@link count} gives, in such steps. */
  countSteps(): Generator<undefined, number, void>
  /**
   * The node with these children only and without a priority of its own, as JSON bytes in blocks of
   * about 64 KiB, with members in key order; `{}` where none was found. Where many children are looked at,
   * empty blocks come between, so that something else can be done there. `undefined` where the node has
   * no children, because it is a leaf or nothing.
   */
  jsonBlocks(form?: JsonForm): Iterable<Uint8Array> | undefined
}
