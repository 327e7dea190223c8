/** Durations of tasks, as {@link PoolMetrics} shows them. In milliseconds, each at most an eighth too long. */
export interface DurationSummary {
  count: number
  mean: number
  max: number
  p50: number
  p90: number
  p99: number
  p999: number
}

/**
 * A histogram of microseconds up to 2^32: eight buckets to the octave, so that a percentile is at most an
 * eighth too high, and as cheap to fill as an array.
 */
export class Histogram {
  readonly #buckets = new Float64Array(8 * 31)
  #count = 0
  #sumUs = 0
  #maxUs = 0

  record(us: number): void {
    const index = bucket(us)
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1
    this.#count++
    this.#sumUs += us
    if (us > this.#maxUs) this.#maxUs = us
  }

  /** Adds what another one has recorded. */
  add(other: Histogram): void {
    for (const [index, count] of other.#buckets.entries()) {
      this.#buckets[index] = (this.#buckets[index] ?? 0) + count
    }
    this.#count += other.#count
    this.#sumUs += other.#sumUs
    this.#maxUs = Math.max(this.#maxUs, other.#maxUs)
  }

  get count(): number {
    return this.#count
  }

  /** @param fraction 0 to 1 @returns microseconds; 0 while nothing was recorded */
  quantileUs(fraction: number): number {
    let left = Math.max(1, Math.ceil(this.#count * fraction))
    for (const [index, count] of this.#buckets.entries()) {
      left -= count
      if (left <= 0) return Math.min(bucketEnd(index), this.#maxUs)
    }
    return 0
  }

  summary(): DurationSummary {
    return {
      count: this.#count,
      mean: this.#count === 0 ? 0 : this.#sumUs / this.#count / 1000,
      max: this.#maxUs / 1000,
      p50: this.quantileUs(0.5) / 1000,
      p90: this.quantileUs(0.9) / 1000,
      p99: this.quantileUs(0.99) / 1000,
      p999: this.quantileUs(0.999) / 1000,
    }
  }
}

function bucket(us: number): number {
  if (us < 8) return us
  const octave = 31 - Math.clz32(us)
  return (octave - 2) * 8 + ((us >>> (octave - 3)) & 7)
}

function bucketEnd(index: number): number {
  if (index < 8) return index
  const octave = (index >> 3) + 2
  return 2 ** octave + ((index & 7) + 1) * 2 ** (octave - 3) - 1
}
