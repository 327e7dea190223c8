/** Counters of a queue, over all threads, since it was made. */
export interface WorkQueueStats {
  /** Items accepted. */
  enqueued: number
  /** Items taken out. Those that `reap` and `drain` returned count. */
  dequeued: number
  /** One entry a band, the most urgent first. */
  bands: BandStats[]
  /** Blocks of the arena: how many there are, and how many nobody holds. */
  blocks: { total: number; free: number }
}

/** Counters of one band. */
export interface BandStats {
  /** Items that wait now, claimed slots included. */
  depth: number
  /** The largest depth that a producer has seen. */
  highWater: number
  /** How long items waited to be taken. One in `sampleEvery` items is counted. */
  waits: WaitHistogram
}

/** A histogram of durations with buckets a quarter of an octave wide: at most 25 % too long. */
export interface WaitHistogram {
  /** Samples in all buckets. */
  count: number
  /** The buckets that have samples, shortest first. `upToUs` is where a bucket ends, in microseconds. */
  buckets: { upToUs: number; count: number }[]
  /**
   * The duration, in microseconds, that a fraction of the samples did not exceed.
   * @param fraction 0 to 1: 0.5 for the median. NaN is returned while there are no samples.
   */
  quantileUs(fraction: number): number
}
