/**
 * Where a server writes what its operator should know: the faults of its own, not those of clients.
 * A pino logger is one. What was thrown is `err` among the fields, and never sent to a client.
 */
export interface Log {
  error(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Writes nothing. */
export const silentLog: Log = {
  error() {},
  warn() {},
}
