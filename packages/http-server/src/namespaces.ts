import { childPath, rootPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import { isIP } from 'node:net'
import type { Parameters } from './parameters.ts'
import type { PlanSettings } from './plan-settings.ts'
import { Refusal } from './refusal.ts'

/**
 * Several databases in one server, each a tree of its own, which clients name in `ns`. In the store they
 * are the children of the root, so that one commit serves all of them: give the store to nobody who takes
 * it for one tree. A store of storage-lmdb is opened with `databases: 'several'`, and its indexes are
 * declared for places such as `/$database/people`.
 */
export interface NamespacesOptions {
  /** The databases there are. Default: none but those that `createOnUse` makes. */
  readonly names?: readonly string[]
  /** Whether a database of another name begins to be when something is written to it. Default: false. */
  readonly createOnUse?: boolean
  /**
   * The database of a request that names none, neither in `ns` nor by the first label of its host name, in any case. Where
   * there is such a default, a host names those of `names` only.
   * Default: a request that names none is answered 404.
   */
  readonly default?: string
}

const validName = /^[A-Za-z0-9][\w-]{0,62}$/

/**
 * Checks the databases of a server, as it does itself, and fills in what is left out.
 *
 * @throws {RangeError} for a name that no database has, and where there could be none at all.
 */
export function checkNamespaces(options: NamespacesOptions): NamespacesOptions {
  const { names = [], createOnUse = false, default: unnamed } = options
  for (const name of unnamed === undefined ? names : [...names, unnamed]) {
    if (validName.test(name)) continue
    throw new RangeError(
      `Invalid namespace "${name}": It has 1 to 63 letters, digits, hyphens or underscores, a letter or digit first`,
    )
  }
  if (names.length === 0 && !createOnUse) {
    throw new RangeError('Invalid namespaces: There are no names, and createOnUse is not set')
  }
  const checked = { names, createOnUse, ...(unnamed === undefined ? {} : { default: unnamed }) }
  if (unnamed !== undefined && !hasDatabase(checked, unnamed)) {
    throw new RangeError(`Invalid default namespace "${unnamed}": It is not one of the names`)
  }
  return checked
}

/**
 * Where in the store the database lies that a request speaks of, by its parameters or by the host it was
 * sent to.
 * @throws {Refusal} 404 for one that there is not.
 */
export function databaseOf(
  host: string | undefined,
  parameters: Parameters,
  { namespace, namespaces }: PlanSettings,
): Path {
  const asked = parameters.get('ns')
  if (namespaces === undefined) {
    if (namespace !== undefined && asked !== undefined && asked !== namespace) throw unknown()
    return rootPath
  }
  const name = asked ?? nameOfHost(host, namespaces) ?? namespaces.default
  if (name === undefined || !hasDatabase(namespaces, name)) throw unknown()
  return childPath(rootPath, name)
}

/** The same place in the store. It may have one key more than a path has in its database. */
export function inDatabase(database: Path, path: Path): Path {
  if (database === rootPath) return path
  return path === rootPath ? database : childPath(database, path.slice(1))
}

function hasDatabase(
  { names = [], createOnUse = false }: NamespacesOptions,
  name: string,
): boolean {
  return names.includes(name) || (createOnUse && validName.test(name))
}

// [unconfirmed] A host name that names no database, such as that of the server, is no reason to refuse. Where it could be
// any database, because those not listed are made on use, it counts only if it is the only way to name one but `ns`: else
// what was written at one name of the server would not be there at another.
function nameOfHost(
  host: string | undefined,
  { names = [], createOnUse = false, default: unnamed }: NamespacesOptions,
): string | undefined {
  const [name = ''] = /^[^:]*/.exec(host ?? '') ?? []
  const dot = name.indexOf('.')
  if (dot === -1 || isIP(name) !== 0) return undefined
  // Host names have no case.
  const label = name.slice(0, dot).toLowerCase()
  const listed = names.includes(label) ? label : names.find((one) => one.toLowerCase() === label)
  if (listed !== undefined) return listed
  return createOnUse && unnamed === undefined && validName.test(label) ? label : undefined
}

function unknown(): Refusal {
  return new Refusal(404, '404 Not Found')
}
