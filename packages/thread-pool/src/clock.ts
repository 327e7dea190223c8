import process from 'node:process'

// `performance.now()` counts from the start of its own thread; `process.hrtime()` has one origin for
// all threads of a process, and does not jump when somebody sets the wall clock. The first calls of
// both take long, so the closest pair of readings of several counts.
const offset = measureOffset()

function measureOffset(): number {
  let best = 0
  let closest = Infinity
  for (let round = 0; round < 20; round++) {
    const before = performance.now()
    const [seconds, nanoseconds] = process.hrtime()
    const after = performance.now()
    if (after - before >= closest) continue
    closest = after - before
    best = seconds * 1000 + nanoseconds / 1e6 - (before + after) / 2
  }
  return best
}

/** Milliseconds since a moment that is the same in all threads of this process. */
export function now(): number {
  return offset + performance.now()
}

/** A duration in whole microseconds, as it travels: 0 where the clocks of two threads differ by more than it. */
export function microseconds(ms: number): number {
  return ms <= 0 ? 0 : Math.min(Math.round(ms * 1000), 0xffffffff)
}
