export const durabilities = ['full', 'relaxed'] as const

type Durability = (typeof durabilities)[number]

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

export interface ServeOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** The data folder. */
  readonly data: string
  readonly durability: Durability
  /** Several databases instead of one: their names, or `*` for any. */
  readonly namespaces?: readonly string[]
  /** The one of them that is meant where a request names none. */
  readonly defaultNamespace?: string
  /** The file with the rules that say which indexes there are. */
  readonly rules?: string
  /** Whether a query may do without an index by reading all children. */
  readonly requireIndexes: boolean
  /** Whether answers are compressed for clients that take it. */
  readonly compression: boolean
  /** Threads that read; 0 to read and write in the thread that serves. */
  readonly threads: number
  /** Connections at one time. */
  readonly maxConnections: number
  /** Streams at one time. */
  readonly maxStreams: number
  /** Those of one client address. */
  readonly maxStreamsPerAddress: number
  /** Seconds between two keep-alives of a stream. */
  readonly streamKeepAlive: number
  /** How much of the change log is kept, in MiB. */
  readonly changeLogSize: number
  /** And for how many hours. */
  readonly changeLogHours: number
  readonly logLevel: LogLevel
  /** The file with the certificate, for TLS. */
  readonly tlsCert?: string
  /** The file with its key. */
  readonly tlsKey?: string
  /** Whether metrics are shown beside the tree. */
  readonly metrics?: true
  /** Shows metrics there instead. */
  readonly metricsPort?: number
  readonly metricsHost: string
}
