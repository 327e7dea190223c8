import type { Crew } from './crew.ts'
import { now } from './clock.ts'
import { Histogram } from './histogram.ts'
import type { ResolvedOptions } from './options.ts'
import type { TaskDiagnostics } from './pool-events.ts'
import { TaskMeter } from './pool-metrics.ts'
import type { PoolMetrics, WorkerMetrics } from './pool-metrics.ts'
import type { Thread } from './thread.ts'

/** What a meter cannot count itself. */
export interface PoolView {
  options: ResolvedOptions
  crew: Crew
  waiting: number
  pending: number
  quarantined: string[]
}

/** Counts what a pool does. */
export class PoolMeter {
  rejected = 0
  retried = 0
  #cancelled = 0
  #timedOut = 0
  #lost = 0
  readonly #byName = new Map<string, TaskMeter>()
  // The last name's, because names come in runs.
  #lastName: string | undefined
  #last: TaskMeter = new TaskMeter()

  /** A handler has ended. @param thread undefined for the thread of the pool */
  count(
    thread: Thread | undefined,
    name: string,
    waitUs: number,
    runUs: number,
    isError: boolean,
  ): void {
    const meter = name === this.#lastName ? this.#last : this.#find(name)
    meter.waits.record(waitUs)
    meter.runs.record(runUs)
    if (isError) meter.failed++
    else meter.completed++
    if (thread === undefined) return
    thread.waits.record(waitUs)
    thread.runs.record(runUs)
    if (isError) thread.failed++
    else thread.completed++
  }

  /** A task was settled without its handler. */
  gaveUp(outcome: TaskDiagnostics['outcome']): void {
    if (outcome === 'cancelled') this.#cancelled++
    else if (outcome === 'timed out') this.#timedOut++
    else if (outcome === 'lost') this.#lost++
  }

  metrics({ options, crew, waiting, pending, quarantined }: PoolView): PoolMetrics {
    const waits = new Histogram()
    const runs = new Histogram()
    let completed = 0
    let failed = 0
    for (const meter of this.#byName.values()) {
      waits.add(meter.waits)
      runs.add(meter.runs)
      completed += meter.completed
      failed += meter.failed
    }
    return {
      name: options.name,
      threads: {
        ready: crew.count('ready'),
        starting: crew.count('starting'),
        stopping: crew.count('stopping'),
      },
      waiting,
      pending,
      completed,
      failed,
      cancelled: this.#cancelled,
      timedOut: this.#timedOut,
      rejected: this.rejected,
      lost: this.#lost,
      retried: this.retried,
      crashes: crew.crashes,
      breaker: crew.guard.state,
      quarantined,
      wait: waits.summary(),
      run: runs.summary(),
      tasks: Object.fromEntries([...this.#byName].map(([name, meter]) => [name, meter.metrics()])),
      workers: [...crew.threads].map(workerMetrics),
    }
  }

  #find(name: string): TaskMeter {
    let meter = this.#byName.get(name)
    if (meter === undefined) this.#byName.set(name, (meter = new TaskMeter()))
    this.#lastName = name
    this.#last = meter
    return meter
  }
}

function workerMetrics(thread: Thread): WorkerMetrics {
  const time = now()
  const busyMs = thread.busyMs(time)
  const upMs = thread.readyAt === 0 ? 0 : time - thread.readyAt
  return {
    thread: thread.index,
    threadId: thread.threadId,
    state: thread.state,
    busyMs,
    utilization: upMs > 0 ? Math.min(1, busyMs / upMs) : 0,
    completed: thread.completed,
    failed: thread.failed,
    wait: thread.waits.summary(),
    run: thread.runs.summary(),
  }
}
