import { checkKey } from '@elkyn/tree'
import type { JsonForm } from '@elkyn/tree'
import { Refusal } from './refusal.ts'

/** Query parameters by name. Of one given several times the first counts, unless it is part of a query. */
export type Parameters = ReadonlyMap<string, string>

/** How the body of an answer is laid out; `silent` leaves it out. */
export type Print = 'compact' | 'pretty' | 'silent'

/** A listing of child names instead of values, in key order. */
export interface Listing {
  readonly after?: string
  readonly limit?: number
}

const none: Parameters = new Map()

/** @throws {Refusal} 400 for broken percent-encoding, and for a part of a query that is given twice. */
export function parseParameters(query: string): Parameters {
  if (query === '') return none
  const parameters = new Map<string, string>()
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals === -1 ? part : part.slice(0, equals))
    if (!parameters.has(name)) {
      parameters.set(name, equals === -1 ? '' : decode(part.slice(equals + 1)))
    } else if (isQueryParameter(name)) {
      throw new Refusal(400, `${name} may only be specified once`)
    }
  }
  return parameters
}

// [unconfirmed] As in forms, a plus sign is a space: clients that build queries from a dictionary
// write them so. In a path it is a plus sign.
function decode(text: string): string {
  try {
    return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text)
  } catch {
    throw new Refusal(400, 'Invalid query parameter: The percent-encoding is broken or not UTF-8')
  }
}

/** [unconfirmed] An unknown value is ignored. */
export function parsePrint(parameters: Parameters): Print {
  const print = parameters.get('print')
  return print === 'pretty' || print === 'silent' ? print : 'compact'
}

/** [unconfirmed] An unknown value is refused, because the answer would have another shape than asked. */
export function parseForm(parameters: Parameters): JsonForm {
  const format = parameters.get('format')
  if (format === undefined) return 'plain'
  if (format === 'export') return 'export'
  throw new Refusal(400, "Invalid format: The only one is 'export'")
}

/** The parts of a query. */
export const queryParameters = [
  'orderBy',
  'limitToFirst',
  'limitToLast',
  'startAt',
  'startAfter',
  'endAt',
  'endBefore',
  'equalTo',
] as const

/** Those, and the parts that are ours. */
const allQueryParameters: readonly string[] = [
  ...queryParameters,
  'where',
  'reverse',
  'count',
  'cursor',
]

function isQueryParameter(name: string): boolean {
  return allQueryParameters.includes(name)
}

/** Those that a listing may carry, without `orderBy`. */
const listingParameters: ReadonlySet<string> = new Set(['limitToFirst', 'startAfter'])

/**
 * The listing that `shallow=true` asks for. It may be limited and continued, which the command-line
 * tool of the production service does; no other part of a query mixes with it.
 *
 * @throws {Refusal} 400 for another part, and for a limit that is no positive integer.
 * @throws {TreeError} `ERR_INVALID_KEY` for a `startAfter` that no child can be called.
 */
export function parseListing(parameters: Parameters): Listing | undefined {
  if (parameters.get('shallow') !== 'true') return undefined
  if (allQueryParameters.some((name) => parameters.has(name) && !listingParameters.has(name))) {
    throw new Refusal(400, "Mixing 'shallow' and querying parameters is not supported")
  }
  const after = parameters.get('startAfter')
  if (after !== undefined && after !== '') checkKey(after)
  const limit = parameters.get('limitToFirst')
  return {
    ...(after === undefined || after === '' ? {} : { after }),
    ...(limit === undefined ? {} : { limit: parseLimit('limitToFirst', limit) }),
  }
}

/** @throws {Refusal} 400 for a limit that is no positive integer. */
export function parseLimit(name: string, text: string): number {
  if (!/^-?\d+$/.test(text) && text !== '') throw new Refusal(400, `${name} must be an integer`)
  const limit = Number(text)
  if (limit <= 0) throw new Refusal(400, `${name} must be positive`)
  return Math.min(limit, Number.MAX_SAFE_INTEGER)
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 }

const maxTimeoutMs = 15 * 60_000

/**
 * How long a read may take, in milliseconds, of `timeout=10s`. Not said: for ever, because whoever waits
 * longer than the maximum of the production service has other limits.
 *
 * @throws {Refusal} 400 for another form, for none, and for more than 15 minutes.
 */
export function parseTimeout(parameters: Parameters): number | undefined {
  const timeout = parameters.get('timeout')
  if (timeout === undefined) return undefined
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|min)$/.exec(timeout) ?? []
  const timeoutMs = Number(count) * (units[unit ?? ''] ?? Number.NaN)
  if (timeoutMs > 0 && timeoutMs <= maxTimeoutMs) return timeoutMs
  throw new Refusal(
    400,
    "Invalid timeout: It has to be a number and 'ms', 's' or 'min', up to 15min",
  )
}
