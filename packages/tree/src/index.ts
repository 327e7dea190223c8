export { TreeError } from './errors.ts'
export type { TreeErrorCode, TreeErrorDetails } from './errors.ts'
export {
  childPath,
  decodeUrlPath,
  isAncestor,
  isPriorityPath,
  joinPath,
  parentPath,
  parsePath,
  pathDepth,
  pathKeys,
  pathsConflict,
  relativePath,
  rootPath,
  splitPriorityPath,
} from './path.ts'
export type { DecodeUrlPathOptions, ParsePathOptions, Path } from './path.ts'
export { checkKey } from './key.ts'
export { maxDepth, maxKeyBytes } from './limits.ts'
export { compareKeys, parseIntegerKey } from './key-order.ts'
export { checkKeyRange, keysInRange } from './key-range.ts'
export { Branch, RankedLeaf, ServerValue, childOf, nodeAt, priorityOf } from './node.ts'
export type { Leaf, Priority, TreeNode } from './node.ts'
export { branchOf, withChild, withPriority } from './node-edit.ts'
export { pushId } from './push-id.ts'
export { applyChange } from './change.ts'
export { eventIdInside, parseEventId, sequenceOfEventId } from './event-id.ts'
export type { EventPlace } from './event-id.ts'
export { etagOf, nullEtag } from './etag.ts'
export { MemoryTreeStore } from './memory-store.ts'
export type { MemoryTreeStoreOptions } from './memory-store.ts'
export { checkIndexDefinitions, indexesAt } from './index-definitions.ts'
export type { IndexDefinition, IndexDefinitions } from './index-definitions.ts'
export { checkQuery } from './query-plan.ts'
export { queryOperators } from './query.ts'
export type {
  QueryBound,
  QueryCondition,
  QueryEntry,
  QueryOperator,
  QueryResult,
  TreeQuery,
} from './query.ts'
export { runQuery } from './run-query.ts'
export { anyBranch, compareIndexValues, indexPriorityOf, indexValueOf } from './value-order.ts'
export type { AnyBranch, IndexValue } from './value-order.ts'
export { prettyPrint } from './pretty-print.ts'
export { escapeKey, unescapeKey } from './escape-key.ts'
export { resolveServerValues } from './server-value.ts'
export { fromJson, updateOf } from './from-json.ts'
export { parseJson, parseUpdate } from './parse.ts'
export type { ParseJsonOptions, UpdateMember } from './parse.ts'
export { TreeValue } from './tree-value.ts'
export { isStaged } from './staged.ts'
export type {
  Change,
  ChangeCursor,
  ChangePair,
  CommitStats,
  IdempotencyKey,
  JsonForm,
  Judge,
  KeyRange,
  KnownEtag,
  NodeKind,
  OpenStoreOptions,
  PairFrame,
  PairTarget,
  Precondition,
  StageOptions,
  StagedPair,
  StagedValue,
  Stager,
  StoreDescriptor,
  StoreModule,
  TreeSnapshot,
  TreeStore,
  TreeStoreStats,
  TreeView,
  TreeWrite,
  WriteAccepted,
  WriteOutcome,
  WritePair,
  WriteRefused,
  WriterProgress,
  WriteValue,
} from './store.ts'

// Reading JSON of any size in pieces.
export { isReservedName } from './open-container.ts'
export { JsonTokenizer } from './tokenizer.ts'
export type { JsonHandler, TextPlace } from './tokenizer.ts'
export { HeldValueLimit } from './held-value-limit.ts'
export { TreeBuilder } from './tree-builder.ts'
export type { BuiltValue, TreeBuilderOptions } from './tree-builder.ts'
export { UpdateBuilder } from './update-builder.ts'
export type { BuiltMember } from './update-builder.ts'
export type { TreeSink } from './tree-sink.ts'

// What a store needs to check writes and to keep values as canonical text.
export { quote, toCanonical } from './canonical.ts'
export { checkConflicts } from './update-path.ts'
export { PauseCount, matchingChildren } from './query-children.ts'
export type { QueriedChildren } from './query-children.ts'
export type { QueryField } from './query-field.ts'
export { checkServed, planQuery, rangeBehindCursor, servingIndex } from './query-plan.ts'
export type { HasIndex, PlannedCondition, QueryPlan, ServingIndex } from './query-plan.ts'
export { compareFields, isInRange, isMet, rangeOf } from './query-range.ts'
export type { Edge, EdgeRange } from './query-range.ts'
export { checkedResult, queryResult } from './query-result.ts'
export type { QueryReading } from './query-result.ts'
export { nodeResult } from './run-query.ts'
export { sortSteps } from './sort-steps.ts'
export {
  checkIdempotencyKey,
  checkIdempotencyKeyForm,
  outcomeAgain,
  rememberedWrite,
} from './idempotency.ts'
export type { RememberedWrite } from './idempotency.ts'
export { locate, replaceLocated } from './locate.ts'
export type { TextSpan } from './locate.ts'
