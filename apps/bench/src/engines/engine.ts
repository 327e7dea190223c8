import type { Item, LeafUpdate } from '../records.ts'

/**
 * A database under test, opened on a folder of its own in a process of its own. Each method holds
 * its own loop, so that no engine pays for the shape of another one's calls.
 */
export interface Engine {
  /** What a write that was answered survives, for the reader of the table. */
  readonly durability: string
  /** Puts records into the empty list, as fast as the engine can; not timed. */
  load(items: Iterable<readonly Item[]>): void | Promise<void>
  /** One record as JSON bytes. */
  get(key: string): Uint8Array | undefined | Promise<Uint8Array | undefined>
  /** Reads records one by one as JSON bytes. @returns the sum of their lengths. */
  read(keys: readonly string[]): number | Promise<number>
  /** Writes records, one commit a batch. */
  write(batches: readonly (readonly Item[])[]): void | Promise<void>
  /**
   * The same in two steps, for an engine that takes something else than bytes: makes that of them,
   * and gives back what writes it.
   */
  prepareWrite?(batches: readonly (readonly Item[])[]): () => void
  /** Changes one field in each of some records, one commit a batch. */
  update(batches: readonly (readonly LeafUpdate[])[]): void | Promise<void>
  /** Goes over the whole list, in key order. @returns the bytes met: JSON, or keys and values. */
  scan(): number | Promise<number>
  /** The whole list as one JSON text, from an engine that makes such. */
  list?(): Uint8Array | undefined
  close(): Promise<void>
}

/** Opens a new database in an empty folder. */
export type OpenEngine = (folder: string) => Engine | Promise<Engine>
