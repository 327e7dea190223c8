import { TreeError } from './errors.ts'
import { etagOf } from './etag.ts'
import { checkKeyRange, keysInRange } from './key-range.ts'
import { Branch } from './node.ts'
import type { TreeNode } from './node.ts'
import type { Path } from './path.ts'
import { checkServed, planQuery, servingIndex } from './query-plan.ts'
import type { HasIndex } from './query-plan.ts'
import type { QueryResult, TreeQuery } from './query.ts'
import { nodeResult } from './run-query.ts'
import type { JsonForm, KeyRange, NodeKind, TreeSnapshot, TreeView } from './store.ts'
import { valueAt } from './tree-at.ts'
import { checkedResult } from './query-result.ts'
import { TreeValue } from './tree-value.ts'

const blockSize = 64 * 1024

/** A tree in memory as a {@link TreeView}, until it is closed or its store does not let it be read. */
export class MemoryView implements TreeView {
  readonly #root: TreeNode | null
  readonly #checkStore: () => void
  #isClosed = false

  /** @param checkStore Throws when the store does not let the view be read. */
  constructor(root: TreeNode | null, checkStore: () => void) {
    this.#root = root
    this.#checkStore = checkStore
  }

  kind(path: Path): NodeKind {
    const node = this.nodeAt(path)
    if (node === null) return 'none'
    return node instanceof Branch ? 'branch' : 'leaf'
  }

  get(path: Path): TreeValue {
    return TreeValue.fromNode(this.nodeAt(path))
  }

  *keys(path: Path, range: KeyRange = {}): Generator<string, void, undefined> {
    checkKeyRange(range)
    const node = this.nodeAt(path)
    if (node instanceof Branch) yield* keysInRange(node, range)
  }

  close(): void {
    this.#isClosed = true
  }

  protected nodeAt(path: Path): TreeNode | null {
    if (this.#isClosed) {
      throw new TreeError('ERR_STORE_CLOSED', `Cannot read ${path}: the view is closed`)
    }
    this.#checkStore()
    return valueAt(this.#root, path)
  }
}

/** Which indexes there are, as far as a store in memory has any. */
export interface MemoryIndexes {
  /** Whether a query without one is refused. */
  readonly areRequired: boolean
  at(path: Path): HasIndex
}

/** A snapshot of a tree in memory. It costs nothing to keep. */
export class MemorySnapshot extends MemoryView implements TreeSnapshot {
  readonly sequence: number
  readonly #indexes: MemoryIndexes

  constructor(
    root: TreeNode | null,
    sequence: number,
    checkStore: () => void,
    indexes: MemoryIndexes,
  ) {
    super(root, checkStore)
    this.sequence = sequence
    this.#indexes = indexes
  }

  json(path: Path, form: JsonForm = 'plain'): Uint8Array<ArrayBuffer> | undefined {
    const value = this.get(path)
    return value.isNull ? undefined : new TextEncoder().encode(value.toText(form))
  }

  jsonBlocks(path: Path, form?: JsonForm): Iterable<Uint8Array<ArrayBuffer>> | undefined {
    const bytes = this.json(path, form)
    return bytes && this.#blocks(path, bytes)
  }

  *#blocks(path: Path, bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
    for (let start = 0; start < bytes.length; start += blockSize) {
      // Only to fail where a store that reads while the blocks are taken would.
      this.nodeAt(path)
      yield bytes.slice(start, start + blockSize)
    }
  }

  query(path: Path, query: TreeQuery): QueryResult {
    const plan = planQuery(query)
    // Here an index only permits: the children are looked through all the same.
    if (this.#indexes.areRequired) {
      checkServed(plan, path, servingIndex(plan, this.#indexes.at(path)))
    }
    const result = nodeResult(this.nodeAt(path), plan)
    return checkedResult(result, () => this.nodeAt(path))
  }

  etag(path: Path): string {
    return etagOf(this.get(path))
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
