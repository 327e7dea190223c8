export interface CloseOptions {
  /**
   * How long requests in progress may take to end before they are broken off. Infinity waits as long as it
   * takes. Default: 10000.
   */
  readonly timeoutMs?: number
}

/** @throws {RangeError} for a time that is none. */
export function closeTimeout({ timeoutMs = 10_000 }: CloseOptions = {}): number {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return timeoutMs
  throw new RangeError(
    `Invalid timeoutMs ${String(timeoutMs)}: It has to be a number from 0, or Infinity`,
  )
}
