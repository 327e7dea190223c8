import type { ByteTable, LmdbStat, Root } from './lmdb-types.ts'

/** Size of one table. */
export interface TableStats {
  readonly entries: number
  /** Levels of pages. */
  readonly depth: number
  readonly pages: number
}

/** The tables of the environment; one that is not there yet has no `db`. */
export type Tables = Readonly<
  Record<
    'rows' | 'log' | 'graves' | 'meta' | 'clients' | 'indexes',
    { readonly db: ByteTable['db'] | undefined } | undefined
  >
>

/** Pages at the beginning of the file that say which commit is the last. */
const META_PAGES = 2

/** How much the environment holds, as LMDB itself knows it. */
export class LmdbStats {
  readonly #root: Root
  readonly #tables: Tables
  readonly #isWriting: () => boolean
  readonly #pageBytes: number

  constructor(root: Root, tables: Tables, isWriting: () => boolean) {
    this.#root = root
    this.#tables = tables
    this.#isWriting = isWriting
    this.#pageBytes = root.getStats().pageSize
  }

  /** Entries, levels and pages of one of the tables. */
  table(name: keyof Tables): TableStats {
    // Begins the read transaction that the next line looks into.
    this.#root.getStats()
    const stats = tableStats(this.#tables[name]?.db?.stat())
    this.#end()
    return stats
  }

  /** Bytes that the data file has grown to. Costs little. */
  fileBytes(): number {
    const { lastPageNumber } = this.#root.env.info()
    return (lastPageNumber + 1) * this.#pageBytes
  }

  /** Bytes of the address space that the data file may fill before it is mapped anew. */
  mapBytes(): number {
    return this.#root.env.info().mapSize
  }

  /** Bytes of the pages that hold something. */
  usedBytes(): number {
    const { root, free } = this.#root.getStats()
    const tables = Object.values(this.#tables).map((table) => table?.db?.stat())
    const pages = [...tables, root, free].map((stat) => tableStats(stat).pages)
    this.#end()
    return pages.reduce((sum, count) => sum + count, META_PAGES) * this.#pageBytes
  }

  /** Whether no commit has left pages to be used again, so far. */
  hasNoFreePages(): boolean {
    const { free } = this.#root.getStats()
    this.#end()
    return free.entryCount === 0
  }

  /** Read transactions of all threads, and by how many commits the oldest of them is behind. */
  snapshots(): { readonly snapshots: number; readonly oldestSnapshotCommits: number } {
    const { lastTxnId } = this.#root.env.info()
    // A line for each slot of the reader table: process, thread, and the commit that is read.
    const commits = this.#root.env
      .readerList()
      .flatMap((line) => /^ *\d+ +[0-9a-f]+ +(\d+)\s*$/.exec(line)?.[1] ?? [])
      .map(Number)
    return {
      snapshots: commits.length,
      oldestSnapshotCommits: commits.length === 0 ? 0 : lastTxnId - Math.min(...commits),
    }
  }

  /** lmdb would hold the snapshot that statistics were read from until the next turn of the event loop. */
  #end(): void {
    if (!this.#isWriting()) this.#root.resetReadTxn()
  }
}

function tableStats(stat: LmdbStat | undefined): TableStats {
  if (stat === undefined) return { entries: 0, depth: 0, pages: 0 }
  return {
    entries: stat.entryCount,
    depth: stat.treeDepth,
    pages: stat.treeBranchPageCount + stat.treeLeafPageCount + stat.overflowPages,
  }
}
