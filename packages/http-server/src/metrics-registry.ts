import { Counter, Gauge, Histogram, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string | number>>

/** A number, and what tells it from others under the same name. Nothing is shown for `undefined`. */
export type Sample = readonly [value: number | undefined, labels?: Labels]

/** Values counted in buckets. */
export interface BucketCounts {
  readonly labels?: Labels
  /** For each bound, and at last for what is above all of them. Not cumulative. */
  readonly counts: readonly number[]
  readonly sum: number
}

interface Value {
  readonly value: number
  readonly labels: Labels
  readonly metricName?: string
}

/**
 * Metrics that hold nothing: what was counted elsewhere is read when somebody wants to see it.
 */
export class MetricsRegistry {
  readonly #registry = new Registry()

  get contentType(): string {
    return this.#registry.contentType
  }

  async text(): Promise<string> {
    return await this.#registry.metrics()
  }

  /** What only grows. Its name ends in `_total`. */
  counter(name: string, help: string, read: () => Iterable<Sample>): void {
    const counter = new Counter({ name, help, registers: [this.#registry] })
    replaceValues(counter, () => shown(read()))
  }

  gauge(name: string, help: string, read: () => Iterable<Sample>): void {
    const gauge = new Gauge({ name, help, registers: [this.#registry] })
    replaceValues(gauge, () => shown(read()))
  }

  /** @param bounds Upper ends of the buckets; the one above all of them is not named. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    read: () => Iterable<BucketCounts>,
  ): void {
    const histogram = new Histogram({ name, help, registers: [this.#registry] })
    replaceValues(histogram, () =>
      Array.from(read(), (counts) => bucketValues(name, bounds, counts)).flat(),
    )
  }
}

type Get = () => Promise<object>

interface Readable {
  readonly get: Get
  /** A histogram has a second method for the text, which the first one calls. */
  readonly getForPromString?: Get
}

/** Makes a metric show other values than its own. */
function replaceValues(metric: Readable, read: () => readonly Value[]): void {
  const own: Get = (metric.getForPromString ?? metric.get).bind(metric)
  const get: Get = async () => ({ ...(await own()), values: read() })
  Object.assign(metric, { get, getForPromString: get })
}

function shown(samples: Iterable<Sample>): Value[] {
  return Array.from(samples).flatMap(([value, labels = {}]) =>
    value === undefined ? [] : [{ value, labels }],
  )
}

function bucketValues(
  name: string,
  bounds: readonly number[],
  { labels = {}, counts, sum }: BucketCounts,
): Value[] {
  let count = 0
  const buckets = [...bounds, '+Inf'].map((le, index) => {
    count += counts[index] ?? 0
    return { value: count, labels: { le, ...labels }, metricName: `${name}_bucket` }
  })
  return [
    ...buckets,
    { value: sum, labels, metricName: `${name}_sum` },
    { value: count, labels, metricName: `${name}_count` },
  ]
}
