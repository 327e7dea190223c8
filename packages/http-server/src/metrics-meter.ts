import { methods } from './method.ts'
import type { Method } from './method.ts'

// Counting is on the way of every request: numbers in arrays, no labels, no objects. They become
// metrics when somebody asks.

/** Upper ends of the buckets of request times, in milliseconds. The last one has no end. */
export const durationBucketsMs = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
] as const

/** What requests are counted under. */
export type CountedMethod = Method | 'OPTIONS' | 'other'

/** A method that is none of these is the last one. */
const countedMethods: readonly CountedMethod[] = [...methods, 'OPTIONS', 'other']

/** The statuses that an answer may have: 100 to 599. */
const statusCount = 600

const methodIndexes: ReadonlyMap<string, number> = new Map(
  countedMethods.map((method, index) => [method as string, index]),
)

/** How long the requests of one method took. */
export interface DurationCounts {
  /** For each of {@link durationBucketsMs}, and at last for what took longer. */
  readonly counts: readonly number[]
  readonly sumMs: number
}

/** Counts what a listener does. */
export class RequestMeter {
  readonly #answers = new Float64Array(countedMethods.length * statusCount)
  readonly #durations = new Float64Array(countedMethods.length * (durationBucketsMs.length + 1))
  readonly #durationSums = new Float64Array(countedMethods.length)
  readonly #rejections = new Float64Array(statusCount)
  /** Requests whose heads have arrived and whose answers have not left. */
  inFlight = 0
  /** Requests whose clients went away before the answer had left. */
  aborted = 0
  connections = 0

  /** @returns what {@link answered} takes. */
  begun(): number {
    this.inFlight++
    return performance.now()
  }

  /** The last byte of an answer was handed to the system. */
  answered(method: string, status: number, begunAt: number): void {
    this.inFlight--
    const durationMs = performance.now() - begunAt
    const index = methodIndexes.get(method) ?? countedMethods.length - 1
    this.#answers[index * statusCount + status]!++
    this.#durationSums[index]! += durationMs
    let bucket = 0
    while (bucket < durationBucketsMs.length && durationMs > durationBucketsMs[bucket]!) bucket++
    this.#durations[index * (durationBucketsMs.length + 1) + bucket]!++
  }

  /** The client of one request went away before the answer had left, and its connection is still there. */
  abandoned(): void {
    this.inFlight--
    this.aborted++
  }

  /** A connection has gone, with so many requests that were not answered. */
  gone(unanswered: number): void {
    this.connections--
    this.inFlight -= unanswered
    this.aborted += unanswered
  }

  /** A connection was ended with this status, and no request of it was taken. */
  rejected(status: number): void {
    this.#rejections[status]!++
  }

  /** Answers by method and status, those that there were. */
  *answers(): Generator<{ method: CountedMethod; status: number; count: number }, void, void> {
    for (const [index, method] of countedMethods.entries()) {
      const counts = this.#answers.subarray(index * statusCount, (index + 1) * statusCount)
      for (const [status, count] of counts.entries()) {
        if (count > 0) yield { method, status, count }
      }
    }
  }

  /** Connections that were ended, by status. */
  *rejections(): Generator<{ status: number; count: number }, void, void> {
    for (const [status, count] of this.#rejections.entries()) if (count > 0) yield { status, count }
  }

  /** How long requests took, for each method that there was. */
  *durations(): Generator<DurationCounts & { method: CountedMethod }, void, void> {
    const length = durationBucketsMs.length + 1
    for (const [index, method] of countedMethods.entries()) {
      const counts = [...this.#durations.subarray(index * length, (index + 1) * length)]
      if (counts.some((count) => count > 0)) {
        yield { method, counts, sumMs: this.#durationSums[index]! }
      }
    }
  }
}
