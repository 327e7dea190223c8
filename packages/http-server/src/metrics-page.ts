import type { ELDHistogram } from 'node:perf_hooks'
import process from 'node:process'
import type { TreeStoreStats } from '@elkyn/tree'
import { durationBucketsMs } from './metrics-meter.ts'
import type { RequestMeter } from './metrics-meter.ts'
import { MetricsRegistry } from './metrics-registry.ts'
import type { Sample } from './metrics-registry.ts'
import type { PoolStats } from './metrics-source.ts'
import type { StreamMeter } from './streams/stream-meter.ts'

/** All that a page of metrics is made of. */
export interface MetricsFacts {
  readonly meter: RequestMeter
  readonly store: TreeStoreStats
  readonly pools: readonly PoolStats[]
  readonly streams: StreamMeter
  /** In nanoseconds, since the last page. */
  readonly eventLoopDelay: ELDHistogram
}

type Read = () => MetricsFacts

/** Shows facts as a page that Prometheus reads. */
export class MetricsPage {
  readonly #registry = new MetricsRegistry()
  #facts: MetricsFacts | undefined

  constructor() {
    const read = (): MetricsFacts => this.#facts!
    addHttp(this.#registry, read)
    addStore(this.#registry, read)
    addStreams(this.#registry, read)
    addPools(this.#registry, read)
    addProcess(this.#registry, read)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async text(facts: MetricsFacts): Promise<string> {
    this.#facts = facts
    return await this.#registry.text()
  }
}

function addHttp(registry: MetricsRegistry, read: Read): void {
  const meter = (): RequestMeter => read().meter
  registry.counter('elkyn_http_requests_total', 'Requests that were answered', () =>
    Array.from(meter().answers(), ({ method, status, count }) => [count, { method, status }]),
  )
  registry.counter('elkyn_http_requests_aborted_total', 'Requests whose client went away', () => [
    [meter().aborted],
  ])
  registry.gauge('elkyn_http_requests_in_flight', 'Requests that are not answered yet', () => [
    [meter().inFlight],
  ])
  registry.histogram(
    'elkyn_http_request_duration_seconds',
    'From the head of a request to the end of its answer',
    durationBucketsMs.map((ms) => ms / 1000),
    () =>
      Array.from(meter().durations(), ({ method, counts, sumMs }) => {
        return { labels: { method }, counts, sum: sumMs / 1000 }
      }),
  )
  registry.gauge('elkyn_http_connections', 'Open connections', () => [[meter().connections]])
  registry.counter(
    'elkyn_http_connections_rejected_total',
    'Connections that were ended with an error before a request could be taken',
    () => Array.from(meter().rejections(), ({ status, count }) => [count, { status }]),
  )
}

function addStreams(registry: MetricsRegistry, read: Read): void {
  const meter = (): StreamMeter => read().streams
  registry.gauge('elkyn_streams', 'Open streams', () => [[meter().open]])
  registry.gauge('elkyn_stream_subscriptions', 'Subscriptions of the open streams', () => [
    [meter().subscriptions],
  ])
  registry.counter(
    'elkyn_stream_events_total',
    'Events, counted for each client that was sent one',
    () => [[meter().events]],
  )
  registry.counter('elkyn_stream_bytes_total', 'Bytes that were sent over streams', () => [
    [meter().bytes],
  ])
  registry.gauge('elkyn_stream_pending_bytes', 'Bytes that clients have not taken yet', () => [
    [meter().pendingBytes],
  ])
  registry.counter(
    'elkyn_streams_fallen_behind_total',
    'Times that what waited for a slow client was replaced by one whole value',
    () => [[meter().fallenBehind]],
  )
  registry.counter('elkyn_stream_resumes_total', 'Streams that went on behind an event', () => [
    [meter().resumes, { outcome: 'resumed' }],
    [meter().resumesLost, { outcome: 'lost' }],
  ])
}

const storeGauges: readonly (readonly [
  name: string,
  key: Exclude<keyof TreeStoreStats, 'commits'>,
  help: string,
])[] = [
  ['rows', 'rows', 'Values in one piece, and heads of larger ones'],
  ['changes', 'changes', 'Changes in the change log'],
  ['graves', 'graves', 'Deleted heads whose rows are still to be removed'],
  ['depth', 'depth', 'Levels of the tree on the disk that holds the rows'],
  ['map_bytes', 'mapBytes', 'Size that the data file may grow to before it is mapped anew'],
  ['file_bytes', 'fileBytes', 'Size of the data file'],
  ['free_bytes', 'freeBytes', 'Pages of the data file that nothing uses'],
  ['snapshots', 'snapshots', 'Snapshots that are held open'],
  [
    'oldest_snapshot_commits',
    'oldestSnapshotCommits',
    'Commits since the oldest snapshot that is held open',
  ],
]

/** Commits are counted by powers of two, up to what a batch may hold. */
const commitSizes = Array.from({ length: 10 }, (_, power) => 2 ** power)

function addStore(registry: MetricsRegistry, read: Read): void {
  registry.histogram(
    'elkyn_store_commit_writes',
    'Writes that shared a commit; the count is that of commits',
    commitSizes,
    () => {
      const { commits } = read().store
      if (commits === undefined) return []
      const above = commits.bySize.slice(commitSizes.length).reduce((sum, count) => sum + count, 0)
      const counts = commitSizes.map((_, power) => commits.bySize[power] ?? 0)
      return [{ counts: [...counts, above], sum: commits.writes }]
    },
  )
  for (const [name, key, help] of storeGauges) {
    registry.gauge(`elkyn_store_${name}`, help, () => [[read().store[key]]])
  }
}

const outcomes = ['completed', 'failed', 'cancelled', 'rejected', 'lost'] as const
const threadStates = ['ready', 'starting', 'stopping'] as const

function addPools(registry: MetricsRegistry, read: Read): void {
  const each = (samplesOf: (pool: PoolStats) => readonly Sample[]) => (): Sample[] =>
    read().pools.flatMap((pool) =>
      samplesOf(pool).map(([value, labels]): Sample => [value, { pool: pool.name, ...labels }]),
    )
  registry.gauge(
    'elkyn_pool_threads',
    'Threads',
    each(({ threads }) => threadStates.map((state) => [threads[state], { state }])),
  )
  registry.gauge(
    'elkyn_pool_queue_depth',
    'Tasks in the queue',
    each(({ waiting }) => [[waiting]]),
  )
  registry.counter(
    'elkyn_pool_tasks_total',
    'Tasks that ended',
    each((pool) => outcomes.map((outcome) => [pool[outcome], { outcome }])),
  )
  registry.counter(
    'elkyn_pool_crashes_total',
    'Threads that ended unasked',
    each(({ crashes }) => [[crashes]]),
  )
  registry.counter(
    'elkyn_pool_busy_seconds_total',
    'Time with a task in hand',
    each(({ workers }) => workers.map(({ thread, busyMs }) => [busyMs / 1000, { thread }])),
  )
  for (const [key, help] of [
    ['wait', 'Time of tasks in the queue'],
    ['run', 'Time of tasks in a thread'],
  ] as const) {
    registry.gauge(
      `elkyn_pool_${key}_seconds`,
      `${help}, by quantile since the start`,
      each(({ [key]: { p50, p90, p99 } }) => [
        [p50 / 1000, { quantile: '0.5' }],
        [p90 / 1000, { quantile: '0.9' }],
        [p99 / 1000, { quantile: '0.99' }],
      ]),
    )
    registry.counter(
      `elkyn_pool_${key}_seconds_total`,
      `${help}, of all together`,
      each(({ [key]: { mean, count } }) => [[(mean * count) / 1000]]),
    )
  }
}

/** Under the names that dashboards for Node.js know. */
function addProcess(registry: MetricsRegistry, read: Read): void {
  const startedAt = Date.now() / 1000 - process.uptime()
  registry.counter('process_cpu_seconds_total', 'Processor time of all threads', () => {
    const { user, system } = process.cpuUsage()
    return [[(user + system) / 1e6]]
  })
  const gauges: readonly (readonly [name: string, help: string, value: () => number])[] = [
    ['process_start_time_seconds', 'Start of the process, since 1970', () => startedAt],
    ['process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss()],
    ['nodejs_heap_size_total_bytes', 'Heap', () => process.memoryUsage().heapTotal],
    ['nodejs_heap_size_used_bytes', 'Heap in use', () => process.memoryUsage().heapUsed],
    [
      'nodejs_external_memory_bytes',
      'Memory beside the heap',
      () => process.memoryUsage().external,
    ],
    ['nodejs_eventloop_lag_mean_seconds', 'Mean', () => lag(read(), ({ mean }) => mean)],
    ['nodejs_eventloop_lag_p50_seconds', 'Median', () => lag(read(), (it) => it.percentile(50))],
    [
      'nodejs_eventloop_lag_p99_seconds',
      '99th percentile',
      () => lag(read(), (it) => it.percentile(99)),
    ],
    ['nodejs_eventloop_lag_max_seconds', 'Maximum', () => lag(read(), ({ max }) => max)],
  ]
  for (const [name, help, value] of gauges) {
    const what = name.includes('_lag_') ? `Event loop delay since the last reading: ${help}` : help
    registry.gauge(name, what, () => [[value()]])
  }
}

function lag({ eventLoopDelay: delay }: MetricsFacts, of: (it: ELDHistogram) => number): number {
  return delay.count === 0 ? 0 : of(delay) / 1e9
}
