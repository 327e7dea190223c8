import type { HttpLimits } from './limits.ts'
import { checkNamespaces } from './namespaces.ts'
import type { NamespacesOptions } from './namespaces.ts'

/** What a server was set to that decides about its answers. Each of its threads is told. */
export interface PlanSettings {
  /** Name of the one database that is served; `undefined` takes any. */
  readonly namespace: string | undefined
  /** The databases, where there are several. */
  readonly namespaces: NamespacesOptions | undefined
  /** Whether the root is that of all databases of the store, of which each may be as deep as a tree. */
  readonly allDatabases: boolean
  /** Most bytes of the answer to a read; `Infinity` for any number. */
  readonly maxAnswerBytes: number
  /** Most members of an update and server values of a large body together. */
  readonly maxHeldValues: number
  /** Least bytes of an answer that is compressed; `Infinity` where none is. */
  readonly compressFromBytes: number
  readonly backslashesInUrls: boolean
}

/** What of the options of a server are settings. */
export interface SettingOptions {
  /**
   * Name of the database, as clients give it in the parameter `ns`. One that names another is
   * answered 404. Default: any name is taken, and means the one database there is.
   */
  readonly namespace?: string
  /** Several databases instead of one. */
  readonly namespaces?: NamespacesOptions
  /**
   * Least bytes of an answer to a read that is compressed for a client that takes it; `Infinity` for
   * never. Default: 1024.
   */
  readonly compressFromBytes?: number
  /**
   * Whether a URL may name a key that holds a backslash, as `%5C`. A key in a body always may; Firebase
   * refuses it in a URL. Default: false.
   */
  readonly backslashesInUrls?: boolean
}

/**
 * @throws {RangeError} for wrong namespaces, and for a negative number of bytes.
 * @throws {TypeError} for one database and several at once.
 */
export function planSettings(
  { namespace, namespaces, compressFromBytes = 1024, backslashesInUrls = false }: SettingOptions,
  { maxAnswerBytes, maxHeldValues }: Required<HttpLimits>,
): PlanSettings {
  if (namespace !== undefined && namespaces !== undefined) {
    throw new TypeError('Cannot serve with namespace and with namespaces: Take one of them')
  }
  if (!(compressFromBytes >= 0)) {
    throw new RangeError(`Invalid compressFromBytes ${compressFromBytes}: It has to be 0 or more`)
  }
  return {
    namespace,
    namespaces: namespaces && checkNamespaces(namespaces),
    allDatabases: false,
    maxAnswerBytes,
    maxHeldValues,
    compressFromBytes,
    backslashesInUrls,
  }
}
