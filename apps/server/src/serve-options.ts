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
