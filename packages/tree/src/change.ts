import { TreeError } from './errors.ts'
import type { TreeNode } from './node.ts'
import type { Change } from './store.ts'
import { TreeEdits } from './tree-at.ts'

/**
 * The tree after a change, from the tree before it. Everything in a change is resolved, so the
 * result depends on nothing else.
 *
 * @throws {TreeError} `ERR_INVALID_VALUE` when the change does not carry one of its values, because
 * that was too large for the change log.
 */
export function applyChange(root: TreeNode | null, change: Change): TreeNode | null {
  const edits = new TreeEdits(root)
  for (const { path, value } of change.pairs) {
    if (value === undefined) {
      throw new TreeError(
        'ERR_INVALID_VALUE',
        `Cannot apply change ${change.sequence}: it does not carry the value of ${path}`,
        { path },
      )
    }
    edits.set(path, value.node)
  }
  return edits.finish()
}
