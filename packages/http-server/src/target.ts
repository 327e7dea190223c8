import { decodeUrlPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import { inDatabase } from './namespaces.ts'
import type { PlanSettings } from './plan-settings.ts'
import { Refusal } from './refusal.ts'

/** Which of the two dialects a request speaks: `/users/ada.json` or `/users/ada`. */
export type Surface = 'firebase' | 'native'

/** The request target in two parts, both as they were sent. */
export interface Target {
  readonly pathname: string
  /** What a request says that takes the server for a proxy; it counts more than `Host`. */
  readonly host?: string
  /** Without the question mark; empty where there is none. */
  readonly query: string
}

export interface Location {
  readonly surface: Surface
  /** Where the database begins in the store. */
  readonly database: Path
  /** In the store. */
  readonly path: Path
  /** In the database that the client speaks of, for what it is told. */
  readonly shownPath: Path
}

/**
 * Parts a request target. Done by hand: `new URL()` takes longer than reading a record does, and
 * resolves `..`, which has to be refused.
 */
export function parseTarget(url: string): Target {
  if (!url.startsWith('/')) return parseAbsolute(url)
  const mark = url.indexOf('?')
  if (mark === -1) return { pathname: url, query: '' }
  return { pathname: url.slice(0, mark), query: url.slice(mark + 1) }
}

// A client that takes the server for a proxy sends the whole URL, and has to be understood:
// https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
function parseAbsolute(url: string): Target {
  // Without a name of a user, which could be taken for that of a host, and not without a host.
  const [origin, host] = /^https?:\/\/([^/?#@]+)(?=[/?]|$)/i.exec(url) ?? []
  if (origin === undefined || host === undefined) {
    throw new Refusal(400, 'Invalid path: It has to begin with a slash, or with http:// and a host')
  }
  const rest = url.slice(origin.length)
  return { ...parseTarget(rest.startsWith('/') ? rest : `/${rest}`), host }
}

/** The dialect of a URL path. No key holds a dot, so the suffix can't be part of one. */
export function surfaceOf(pathname: string): Surface {
  return pathname.endsWith(suffix) ? 'firebase' : 'native'
}

/**
 * The place that a URL path names in a database, and the dialect.
 * @throws {TreeError} `ERR_INVALID_PATH`, `ERR_PATH_TOO_LONG`
 */
export function locate(
  pathname: string,
  database: Path,
  { backslashesInUrls }: Pick<PlanSettings, 'backslashesInUrls'>,
): Location {
  const surface = surfaceOf(pathname)
  const bare = surface === 'firebase' ? pathname.slice(0, -suffix.length) : pathname
  const path = decodeUrlPath(bare, { backslash: backslashesInUrls })
  return { surface, database, path: inDatabase(database, path), shownPath: path }
}

const suffix = '.json'
