import type { Priority, ServerValue, TreeNode } from './node.ts'

/**
 * Takes containers that are too large to be held, in pieces, while they are read. What comes last
 * holds: a child that is put, opened or deleted again replaces what was there, and with it go the
 * server values that were reported at or below its place.
 */
export interface TreeSink<Handle> {
  /**
   * Begins a container: the child `key` of another open one, or without a parent a whole value,
   * and then `key` is empty.
   */
  open(parent: Handle | undefined, key: string): Handle
  /** The child `key` of an open container, whole. Server values in it stand as numbers. */
  put(parent: Handle, key: string, node: TreeNode): void
  /** The child `key` of an open container is nothing: a null, or a container where nothing remained. */
  delete(parent: Handle, key: string): void
  /**
   * A place below `parent` holds a server value. `keys` leads there, and ends in `.priority` where
   * it is a priority. The number put there is what it comes to where nothing was before, and 0 for
   * a timestamp: the store has to replace it.
   */
  serverValue(parent: Handle, keys: readonly string[], value: ServerValue): void
  /**
   * Ends a container. One without children is nothing, and its priority goes with it.
   * @returns whether anything remains under it.
   */
  close(handle: Handle, priority: Priority): boolean
  /** A whole value that was closed will not be used: a later member has the same name. */
  discard(handle: Handle): void
}
