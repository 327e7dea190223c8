/** A server under test, listening. */
export interface BenchServer {
  readonly port: number
  /** Path of the URL of a record. */
  pathOf(key: string): string
  /** The record in the body of an answer. */
  recordIn(body: unknown): unknown
  /** The body that stores a record, given as JSON. Default: the record itself. */
  bodyOf?(json: string): string
  /** Whether it gives back what it was given. Default: true. */
  readonly isStoring?: boolean
  close(): Promise<void>
}

export interface BenchServerOptions {
  /** An empty folder for its data. */
  readonly folder: string
  /** How many records it has from the beginning. */
  readonly records: number
  /** Threads that read, for the server that has them. Default: 4. */
  readonly threads?: number
  /** Bytes of the change log, for the servers that have one. Default: theirs. */
  readonly logMaxBytes?: number
}

export type StartServer = (options: BenchServerOptions) => Promise<BenchServer>
