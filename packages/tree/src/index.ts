export { TreeError } from './errors.ts'
export type { TreeErrorCode, TreeErrorDetails } from './errors.ts'
export {
  childPath,
  comparePaths,
  decodeUrlPath,
  isAncestor,
  isPriorityPath,
  joinPath,
  lastKey,
  parentPath,
  parsePath,
  pathDepth,
  pathKeys,
  pathsConflict,
  relativePath,
  rootPath,
  splitPriorityPath,
} from './path.ts'
export type { ParsePathOptions, Path } from './path.ts'
export { checkKey, maxDepth, maxKeyBytes } from './key.ts'
export { compareKeys, parseIntegerKey } from './key-order.ts'
export {
  Branch,
  RankedLeaf,
  ServerValue,
  childOf,
  hasPriority,
  hasServerValue,
  nodeAt,
  nodesEqual,
  priorityOf,
} from './node.ts'
export type { Leaf, Priority, TreeNode } from './node.ts'
export { branchOf, withChild, withPriority } from './node-edit.ts'
export { TreeValue } from './tree-value.ts'
export type {
  Change,
  ChangePair,
  JsonForm,
  Judge,
  KeyRange,
  NodeKind,
  Precondition,
  StageOptions,
  StagedPair,
  StagedValue,
  Stager,
  TreeSnapshot,
  TreeStore,
  TreeView,
  TreeWrite,
  WriteAccepted,
  WriteOutcome,
  WritePair,
  WriteRefused,
  WriteValue,
} from './store.ts'

// What a store needs to keep values as canonical text.
export { isArrayLike, joinChildren, quote, toCanonical } from './canonical.ts'
export { locate, replaceLocated } from './locate.ts'
export type { TextSpan } from './locate.ts'
