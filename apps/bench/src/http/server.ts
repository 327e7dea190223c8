/** A server under test, listening. */
export interface BenchServer {
  readonly port: number
  /** Path of the URL of a record. */
  pathOf(key: string): string
  /** The record in the body of an answer. */
  recordIn(body: unknown): unknown
  close(): Promise<void>
}

/** Starts a server that has the first `records` records, with its data in an empty folder. */
export type StartServer = (folder: string, records: number) => Promise<BenchServer>
