import { HISTOGRAM_BUCKETS } from './layout.ts'
import type { WaitHistogram } from './stats.ts'

/** The bucket for so many microseconds: one each up to 3, then four an octave. */
export function bucketOf(us: number): number {
  if (us < 4) return us
  const octave = 31 - Math.clz32(us)
  return (octave - 1) * 4 + ((us >>> (octave - 2)) & 3)
}

/** Where a bucket ends, in microseconds. */
function bucketEnd(bucket: number): number {
  if (bucket < 4) return bucket + 1
  return (5 + (bucket & 3)) * 2 ** ((bucket >> 2) - 1)
}

/** Reads the histogram whose buckets start at a word. */
export function readHistogram(words: Int32Array, at: number): WaitHistogram {
  const buckets: WaitHistogram['buckets'] = []
  let total = 0
  for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    const count = Atomics.load(words, at + bucket) >>> 0
    if (count === 0) continue
    buckets.push({ upToUs: bucketEnd(bucket), count })
    total += count
  }
  return { count: total, buckets, quantileUs: (fraction) => quantile(buckets, total * fraction) }
}

function quantile(buckets: WaitHistogram['buckets'], samples: number): number {
  let seen = 0
  for (const { upToUs, count } of buckets) {
    seen += count
    if (seen >= samples) return upToUs
  }
  return Number.NaN
}
