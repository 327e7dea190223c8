import {
  TreeError,
  TreeValue,
  checkedResult,
  isPriorityPath,
  nodeResult,
  nullEtag,
  planQuery,
  queryResult,
  servingIndex,
} from '@elkyn/tree'
import type {
  JsonForm,
  KeyRange,
  NodeKind,
  Path,
  QueryResult,
  TreeQuery,
  TreeSnapshot,
} from '@elkyn/tree'
import type { ChangeLog } from './change-log.ts'
import { copyOf } from './copy-bytes.ts'
import { decodeEntry, Head, Kind } from './entry.ts'
import type { Entry } from './entry.ts'
import { EntryView, partOf } from './entry-view.ts'
import { etagOfBlocks, etagOfValue, etagSteps } from './etag.ts'
import { jsonBlocks } from './json-blocks.ts'
import type { JsonBlocks } from './json-blocks.ts'
import { HeadQuery } from './head-query.ts'
import { longLeaf } from './leaf-row.ts'
import type { SnapshotIndexes } from './snapshot-indexes.ts'
import type { Lmdb } from './lmdb.ts'
import { findPlace } from './place.ts'
import type { Reader } from './readers.ts'

/** A snapshot of the tree in LMDB, in the thread that opened it. */
export class ReadSnapshot implements TreeSnapshot {
  readonly #lmdb: Lmdb
  readonly #log: ChangeLog
  readonly #indexes: SnapshotIndexes
  readonly #release: (reader: Reader) => void
  #reader: Reader | undefined
  #sequence: number | undefined

  constructor(
    lmdb: Lmdb,
    log: ChangeLog,
    indexes: SnapshotIndexes,
    reader: Reader,
    release: (reader: Reader) => void,
  ) {
    this.#lmdb = lmdb
    this.#log = log
    this.#indexes = indexes
    this.#reader = reader
    this.#release = release
  }

  get sequence(): number {
    this.#sequence ??= this.#log.position(this.#open().options).sequence
    return this.#sequence
  }

  kind(path: Path): NodeKind {
    return this.#view().kind(path)
  }

  get(path: Path): TreeValue {
    return this.#view().get(path)
  }

  *keys(path: Path, range?: KeyRange): Iterable<string> {
    for (const key of this.#view().keys(path, range)) {
      yield key
      this.#open()
    }
  }

  json(path: Path, form: JsonForm = 'plain'): Uint8Array | undefined {
    const found = this.#find(path, form)
    if (!(found instanceof Head)) return found
    return joined(this.#blocks(found, form))
  }

  jsonBlocks(path: Path, form: JsonForm = 'plain'): Iterable<Uint8Array> | undefined {
    const found = this.#find(path, form)
    if (found === undefined) return undefined
    return found instanceof Head ? this.#blocks(found, form) : [found]
  }

  query(path: Path, query: TreeQuery): QueryResult {
    const plan = planQuery(query)
    const reader = this.#open()
    const ready = this.#indexes.readyAt(path, reader)
    const chosen = servingIndex(plan, ({ name }) => ready.has(name))
    this.#indexes.check(plan, path, chosen, reader)
    const found = this.#view().find(path)
    if (!(found instanceof Head)) {
      return checkedResult(nodeResult(found?.node ?? null, plan), () => this.#open())
    }
    const serving = chosen && {
      index: ready.get(chosen.field.name)!,
      served: chosen.kind === 'condition' ? chosen.served : undefined,
    }
    const json = (child: Path, form: JsonForm) => this.jsonBlocks(child, form)
    const reading = new HeadQuery(this.#lmdb, reader, found, path, plan, serving, json)
    return checkedResult(queryResult(plan, reading), () => this.#open())
  }

  etag(path: Path): string {
    const found = this.#view().find(path)
    if (found === undefined) return nullEtag
    return found instanceof Head ? etagOfBlocks(this.#blocks(found, 'export')) : etagOfValue(found)
  }

  /** The same in steps of a block. */
  *etagSteps(path: Path): Generator<void, string, void> {
    const found = this.#view().find(path)
    return found instanceof Head ? yield* etagSteps(this.#blocks(found, 'export')) : this.etag(path)
  }

  /** Whether there is more text at a path than so many characters. */
  isLonger(path: Path, length: number): boolean {
    const view = this.#view()
    const found = view.find(path)
    return found !== undefined && view.valueUpTo(found, length) === undefined
  }

  close(): void {
    const reader = this.#reader
    if (reader === undefined) return
    this.#reader = undefined
    this.#release(reader)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The bytes of a row or of a part of one, or the head that the node is. */
  #find(path: Path, form: JsonForm): Uint8Array | Head | undefined {
    const reader = this.#open()
    if (isPriorityPath(path)) return this.#priority(path, form)
    const place = findPlace(path, reader.heads, reader)
    if (place.entry === longLeaf) return undefined
    let entry: Entry | Uint8Array | null | undefined = place.entry
    if (entry === undefined) {
      // The common case: one lookup, and the stored bytes are the answer.
      const take = form === 'plain' ? plainBytes : decodeEntry
      entry = this.#lmdb.readRow(place.head, place.name, reader.options, take)
    }
    if (!(entry instanceof TreeValue)) return entry ?? undefined
    const part = partOf(entry, place)
    return part && encoder.encode(part.toText(form))
  }

  #priority(path: Path, form: JsonForm): Uint8Array | undefined {
    const found = this.#view().find(path)
    return found instanceof TreeValue ? encoder.encode(found.toText(form)) : undefined
  }

  *#blocks(head: Head, form: JsonForm): JsonBlocks {
    const blocks = jsonBlocks(this.#lmdb, head, form, this.#open().options)
    try {
      for (let step = blocks.next(); step.done !== true;) {
        const used = yield step.value
        // Its transaction may have another snapshot by now.
        this.#open()
        step = blocks.next(used)
      }
    } finally {
      blocks.return()
    }
  }

  #view(): EntryView {
    const reader = this.#open()
    return new EntryView(reader, reader.heads)
  }

  #open(): Reader {
    if (this.#reader === undefined || this.#reader.isClosed) {
      throw new TreeError('ERR_STORE_CLOSED', 'Cannot read: the snapshot is closed')
    }
    if (this.#lmdb.isWriting) {
      throw new TypeError('Cannot read here: a write is being applied. Use what it was given')
    }
    return this.#reader
  }
}

const encoder = new TextEncoder()

/** The text of a row as a `GET` answers it, in memory of its own; other entries as they are. */
function plainBytes(bytes: Uint8Array, size: number): Uint8Array | Entry {
  return bytes[0] === Kind.plain ? copyOf(bytes, 1, size) : decodeEntry(bytes, size)
}

function joined(blocks: Iterable<Uint8Array>): Uint8Array {
  const all = [...blocks]
  if (all.length === 1) return all[0]!
  const bytes = new Uint8Array(all.reduce((sum, block) => sum + block.length, 0))
  let end = 0
  for (const block of all) {
    bytes.set(block, end)
    end += block.length
  }
  return bytes
}
