/**
 * Refuses what is not a store, such as the tree that has one. In JavaScript nothing else does, and each request
 * would be answered 500.
 * @throws {TypeError}
 */
export function checkStore(store: unknown): void {
  if (memberOf(store, 'snapshot') === 'function') return
  throw new TypeError(
    'Cannot serve: the option store is not a TreeStore, such as the property store of what openTree() gives',
  )
}

/**
 * Refuses what is not the description of a store, such as a store itself.
 * @throws {TypeError}
 */
export function checkDescriptor(store: unknown): void {
  if (memberOf(store, 'module') === 'string') return
  throw new TypeError(
    'Cannot serve: the option store is not a StoreDescriptor, such as what lmdbStorage() gives',
  )
}

function memberOf(store: unknown, name: string): string {
  return typeof store === 'object' && store !== null ? typeof Reflect.get(store, name) : 'undefined'
}
