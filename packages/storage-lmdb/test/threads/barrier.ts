/*
 * Threads that wait for each other in shared memory. Word 0: how many threads have arrived, over all
 * rounds. Word 1: how many there are.
 */

export function createBarrier(threads: number): Int32Array {
  const barrier = new Int32Array(new SharedArrayBuffer(8))
  barrier[1] = threads
  return barrier
}

/** Blocks the thread until as many have come here as there are. */
export function arriveAndWait(barrier: Int32Array): void {
  const threads = Atomics.load(barrier, 1)
  const arrived = Atomics.add(barrier, 0, 1) + 1
  Atomics.notify(barrier, 0)
  const all = Math.ceil(arrived / threads) * threads
  for (let now = arrived; now < all; now = Atomics.load(barrier, 0)) {
    Atomics.wait(barrier, 0, now)
  }
}
