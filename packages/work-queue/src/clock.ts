import process from 'node:process'

/**
 * Microseconds modulo 2^32, never 0. The same clock in all threads, unlike `performance.now()`, which starts with each
 * of them. Costs 50 ns.
 */
export function microseconds(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return (seconds * 1e6 + nanoseconds / 1e3) | 0 || 1
}
