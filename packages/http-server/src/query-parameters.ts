import { checkQuery, parsePath, rootPath } from '@elkyn/tree'
import type { TreeQuery } from '@elkyn/tree'
import { parseLimit, queryParameters } from './parameters.ts'
import type { Parameters } from './parameters.ts'
import { parseBound, parseExact, parsed } from './query-bound.ts'
import { parseWhere } from './query-where.ts'
import { Refusal } from './refusal.ts'

/** A query and what is to be told of its result. */
export interface QueryRequest {
  readonly query: TreeQuery
  /**
   * `value`: the node with these children only. `page`: the children in the order of the query, and where
   * the next page begins. `count`: how many they are.
   */
  readonly shape: 'value' | 'page' | 'count'
}

/** Children of a page where the request does not say how many. */
const pageLength = 100

/**
 * The query that a request asks for, if any.
 * @throws {Refusal} 400 for anything that is wrong with it.
 */
export function parseQuery(parameters: Parameters): QueryRequest | undefined {
  const isQuery =
    queryParameters.some((name) => parameters.has(name)) ||
    parameters.has('where') ||
    parameters.has('cursor') ||
    parameters.get('count') === 'true' ||
    parameters.get('reverse') === 'true'
  if (!isQuery) return undefined
  const shape = shapeOf(parameters)
  const orderBy = parseOrder(parameters)
  const cursor = parameters.get('cursor')
  const where = parameters.get('where')
  const query: TreeQuery = {
    orderBy,
    ...parseLimits(parameters),
    ...parseRange(parameters, orderBy),
    ...(shape === 'page' && !parameters.has('limitToFirst') ? { limitToFirst: pageLength } : {}),
    ...(parameters.get('reverse') === 'true' ? { reverse: true } : {}),
    ...(where === undefined ? {} : { where: parseWhere(where) }),
    ...(cursor === undefined || cursor === '' ? {} : { cursor }),
  }
  check(query)
  return { query, shape }
}

function shapeOf(parameters: Parameters): QueryRequest['shape'] {
  const isPage = parameters.has('cursor')
  const isCount = parameters.get('count') === 'true'
  if (isPage && isCount) throw new Refusal(400, 'Only one of count and cursor may be specified')
  if (isPage && parameters.has('limitToLast')) {
    throw new Refusal(400, 'Only one of cursor and limitToLast may be specified')
  }
  return isPage ? 'page' : isCount ? 'count' : 'value'
}

function parseOrder(parameters: Parameters): string {
  const text = parameters.get('orderBy')
  if (text === undefined) {
    if (!queryParameters.some((name) => parameters.has(name))) return '$key'
    throw new Refusal(400, 'orderBy must be defined when other query parameters are defined')
  }
  const order = parsed(text)
  if (typeof order === 'string' && (specialOrders.has(order) || isFieldPath(order))) return order
  throw new Refusal(400, 'orderBy must be a valid JSON encoded path')
}

const specialOrders: ReadonlySet<string> = new Set(['$key', '$value', '$priority'])

function isFieldPath(text: string): boolean {
  try {
    return parsePath(text) !== rootPath
  } catch {
    return false
  }
}

function parseLimits(
  parameters: Parameters,
): Pick<TreeQuery, 'limitToFirst'> | Pick<TreeQuery, 'limitToLast'> {
  const first = parameters.get('limitToFirst')
  const last = parameters.get('limitToLast')
  if (first !== undefined && last !== undefined) {
    throw new Refusal(400, 'Only one of limitToFirst and limitToLast may be specified')
  }
  if (first !== undefined) return { limitToFirst: parseLimit('limitToFirst', first) }
  if (last !== undefined) return { limitToLast: parseLimit('limitToLast', last) }
  return {}
}

function parseRange(parameters: Parameters, orderBy: string): Pick<TreeQuery, 'start' | 'end'> {
  const exact = parameters.get('equalTo')
  if (exact !== undefined) {
    if (bounds.some(({ name }) => parameters.has(name))) {
      throw new Refusal(
        400,
        'equalTo cannot be specified in addition to startAfter, startAt, endAt, or endBefore',
      )
    }
    const bound = parseExact(exact, orderBy)
    return { start: bound, end: bound }
  }
  excludeEachOther(parameters, 'startAt', 'startAfter')
  excludeEachOther(parameters, 'endAt', 'endBefore')
  const range: { -readonly [Side in 'start' | 'end']?: NonNullable<TreeQuery[Side]> } = {}
  for (const { name, side, isExclusive } of bounds) {
    const text = parameters.get(name)
    if (text !== undefined) range[side] = parseBound(text, orderBy, { side, isExclusive })
  }
  return range
}

const bounds = [
  { name: 'startAt', side: 'start', isExclusive: false },
  { name: 'startAfter', side: 'start', isExclusive: true },
  { name: 'endAt', side: 'end', isExclusive: false },
  { name: 'endBefore', side: 'end', isExclusive: true },
] as const

// [unconfirmed] The texts.
function excludeEachOther(parameters: Parameters, one: string, other: string): void {
  if (!parameters.has(one) || !parameters.has(other)) return
  throw new Refusal(400, `Only one of ${one} and ${other} may be specified`)
}

// What is left to be wrong is in parts that are ours, so that the words of the tree do for them.
function check(query: TreeQuery): void {
  try {
    checkQuery(query)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new Refusal(400, error.message)
  }
}
