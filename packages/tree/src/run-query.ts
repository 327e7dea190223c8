import { toCanonical } from './canonical.ts'
import { Branch, childOf } from './node.ts'
import type { TreeNode } from './node.ts'
import { keysInRange } from './key-range.ts'
import { matchingChildren } from './query-children.ts'
import type { QueriedChildren } from './query-children.ts'
import { fieldOf } from './query-field.ts'
import { planQuery } from './query-plan.ts'
import type { QueryPlan } from './query-plan.ts'
import { queryResult } from './query-result.ts'
import type { QueryResult, TreeQuery } from './query.ts'
import { TreeValue } from './tree-value.ts'

/**
 * Answers a query about the children of a node in memory, by looking at all of them: what a client
 * does with its own copy. Needs no index.
 *
 * @throws as `checkQuery`.
 */
export function runQuery(node: TreeNode | TreeValue | null, query: TreeQuery): QueryResult {
  return nodeResult(node instanceof TreeValue ? node.node : node, planQuery(query))
}

/** Answers a query that was planned. */
export function nodeResult(node: TreeNode | null, plan: QueryPlan): QueryResult {
  const children = childrenOf(node)
  return queryResult(plan, {
    isBranch: node instanceof Branch,
    matches: (descending) => matchingChildren(plan, children, descending),
    countMatches: () => undefined,
    keys: () => children.keys({}),
    json: (key, form) => [encoder.encode(toCanonical(childOf(node, key), form))],
  })
}

/** The children of a node in memory, for a query. */
function childrenOf(node: TreeNode | null): QueriedChildren {
  return {
    keys: (range) => (node instanceof Branch ? keysInRange(node, range) : []),
    has: (key) => childOf(node, key) !== null,
    field: (key, field) => fieldOf(key, childOf(node, key), field),
  }
}

const encoder = new TextEncoder()
