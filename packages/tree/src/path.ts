import { TreeError } from './errors.ts'
import { forbiddenCharacters, keyFault } from './key.ts'
import { maxDepth } from './limits.ts'

declare const validated: unique symbol

/**
 * A checked path in canonical form: `/` for the root, else `/` before each key and none at the
 * end. The last part may be `.priority`.
 */
export type Path = string & { readonly [validated]: true }

/** The path of the whole tree: `/`. */
export const rootPath: Path = '/' as Path

export interface ParsePathOptions {
  /** Whether the last part may be `.priority`, which stands for the priority of the node. Default: false. */
  readonly priority?: boolean
}

const prioritySuffix = '/.priority'

// Most UTF-16 units of a path or key that stand in a message.
const shownLength = 100

// A canonical path without surrogates, which need a look at their neighbours. No two parts of the
// expression can match the same character, so it takes time linear in the text.
const plainPath = new RegExp(`^(?:/[^${forbiddenCharacters}\\ud800-\\udfff]+)+$`)

// So short a text can't hold a key of more than 768 bytes, at three bytes a UTF-16 unit at most.
const safeKeyLength = 256
// And so short a one not more than 32 keys.
const safeDepthLength = 2 * maxDepth

/**
 * Checks a path and gives it its canonical form. A leading slash may be missing; slashes at the
 * end and doubled ones mean nothing. Nothing is percent-decoded.
 *
 * @throws {TreeError} `ERR_INVALID_PATH` for a key that no tree can hold, `ERR_PATH_TOO_LONG` for
 * more than 32 keys or a key of more than 768 bytes; both with the `path` as it was given.
 * @throws {TypeError} for what is no text.
 */
export function parsePath(text: string, options: ParsePathOptions = {}): Path {
  if (typeof text !== 'string') {
    throw new TypeError('Invalid path: it has to be a text such as "/users/ada"')
  }
  if (text.length <= safeKeyLength && plainPath.test(text)) {
    if (text.length <= safeDepthLength || pathDepth(text as Path) <= maxDepth) return text as Path
  }
  const keys = text.split('/').filter((key) => key !== '')
  const priority = options.priority === true && keys.at(-1) === '.priority'
  if (priority) keys.pop()
  if (keys.length > maxDepth) {
    throw new TreeError(
      'ERR_PATH_TOO_LONG',
      `Invalid path: ${keys.length} keys are more than ${maxDepth} (${shown(text)})`,
      { path: `/${keys.join('/')}` },
    )
  }
  for (const key of keys) checkPathKey(key, keys, text)
  if (priority) keys.push('.priority')
  return `/${keys.join('/')}` as Path
}

function checkPathKey(key: string, keys: readonly string[], text: string): void {
  const fault = keyFault(key)
  if (fault === undefined) return
  throw new TreeError(
    fault.tooLong ? 'ERR_PATH_TOO_LONG' : 'ERR_INVALID_PATH',
    `Invalid path: a key ${fault.text} (${shown(key)} in ${shown(text)})`,
    { path: `/${keys.join('/')}` },
  )
}

/** A text as a message shows it: quoted, and its beginning only when it is long. */
function shown(text: string): string {
  return JSON.stringify(text.length > shownLength ? `${text.slice(0, shownLength)}…` : text)
}

export interface DecodeUrlPathOptions {
  /**
   * Whether keys may hold a backslash. In a JSON body they may; in a URL the production service refuses it.
   * Default: false.
   */
  readonly backslash?: boolean
}

/**
 * Makes a path of the path part of a URL: each segment is percent-decoded once, as UTF-8; `+` is a
 * plus sign. The last segment may be `.priority`. An encoded slash is never a separator.
 *
 * @throws {TreeError} `ERR_INVALID_PATH` for broken percent-encoding, bad UTF-8, a backslash, or
 * what {@link parsePath} refuses; `ERR_PATH_TOO_LONG` as there.
 */
export function decodeUrlPath(pathname: string, options: DecodeUrlPathOptions = {}): Path {
  const text = pathname.includes('%') ? decodeSegments(pathname) : pathname
  if (options.backslash !== true && text.includes('\\')) {
    throw new TreeError('ERR_INVALID_PATH', 'Invalid path: a URL cannot hold "\\"')
  }
  return parsePath(text, { priority: true })
}

function decodeSegments(pathname: string): string {
  return pathname.split('/').map(decodeSegment).join('/')
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  const decoded = decodePercent(segment)
  // Refused here, because joined with the others it would part two keys.
  if (decoded.includes('/')) {
    throw new TreeError('ERR_INVALID_PATH', 'Invalid path: a key cannot hold "/"')
  }
  return decoded
}

function decodePercent(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new TreeError(
      'ERR_INVALID_PATH',
      'Invalid path: the percent-encoding is broken or not UTF-8',
      { cause },
    )
  }
}

/** The parts of a path, none for the root. A last part `.priority` is one of them. */
export function pathKeys(path: Path): string[] {
  return path === rootPath ? [] : path.slice(1).split('/')
}

/** Number of keys in a path. A last part `.priority` is not a key. */
export function pathDepth(path: Path): number {
  if (path === rootPath) return 0
  let depth = 0
  for (let at = 0; at !== -1; at = path.indexOf('/', at + 1)) depth++
  return isPriorityPath(path) ? depth - 1 : depth
}

/**
 * The path of `relative`, a key or several parted by slashes, below `path`.
 * @throws {TreeError} as {@link parsePath}, and for anything below a `.priority`.
 */
export function joinPath(path: Path, relative: string): Path {
  const below = parsePath(relative, { priority: true })
  if (below === rootPath) return path
  if (path === rootPath) return below
  return parsePath(path + below, { priority: true })
}

/** The path of a child whose key is known to be valid, because it comes from a tree. */
export function childPath(path: Path, key: string): Path {
  return (path === rootPath ? `/${key}` : `${path}/${key}`) as Path
}

/** The path one level up; `undefined` for the root. Of `/a/.priority` it is `/a`. */
export function parentPath(path: Path): Path | undefined {
  if (path === rootPath) return undefined
  const slash = path.lastIndexOf('/')
  return slash === 0 ? rootPath : (path.slice(0, slash) as Path)
}

/** Whether `descendant` lies below `ancestor`. A path does not lie below itself. */
export function isAncestor(ancestor: Path, descendant: Path): boolean {
  if (ancestor === rootPath) return descendant !== rootPath
  return (
    descendant.length > ancestor.length &&
    descendant.charCodeAt(ancestor.length) === 0x2f &&
    descendant.startsWith(ancestor)
  )
}

/** Whether a write to one path touches what a write to the other one writes: equal, above or below. */
export function pathsConflict(a: Path, b: Path): boolean {
  return a === b || isAncestor(a, b) || isAncestor(b, a)
}

/** The way from `from` down to `to`: `/` where they are equal, `undefined` where `to` is not below. */
export function relativePath(from: Path, to: Path): Path | undefined {
  if (from === to) return rootPath
  if (!isAncestor(from, to)) return undefined
  return from === rootPath ? to : (to.slice(from.length) as Path)
}

/** Whether a path ends in `.priority`. No key begins with a dot, so nothing else looks like it. */
export function isPriorityPath(path: Path): boolean {
  return path.endsWith(prioritySuffix)
}

/** The path of the node, and whether the path given stands for its priority. */
export function splitPriorityPath(path: Path): { readonly path: Path; readonly priority: boolean } {
  if (!isPriorityPath(path)) return { path, priority: false }
  return { path: (path.slice(0, -prioritySuffix.length) || rootPath) as Path, priority: true }
}
