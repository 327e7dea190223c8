import type { TreeStoreStats } from '@elkyn/tree'
import type { Health } from './health.ts'
import type { StreamMeter } from './streams/stream-meter.ts'

/** Where a server's metrics come from beside its listener. Asked each time that somebody reads them. */
export interface MetricsSource {
  /** How the server is. */
  readonly health: Health
  /** How the store is; where another thread has it open, as that thread says. */
  store?(): TreeStoreStats | undefined | Promise<TreeStoreStats | undefined>
  /** What streams did, once there was one. */
  streams?(): StreamMeter | undefined
  /** How the threads are. The metrics of a pool of `@elkyn/thread-pool` are such. */
  pools?(): readonly PoolStats[]
}

/** One pool of threads. Counts begin with the pool. */
export interface PoolStats {
  readonly name: string
  readonly threads: { readonly ready: number; readonly starting: number; readonly stopping: number }
  /** Tasks in the queue. */
  readonly waiting: number
  readonly completed: number
  readonly failed: number
  /** Tasks that were given up: their clients had gone, or their time was over. */
  readonly cancelled: number
  /** Tasks that were refused because the queue was full. */
  readonly rejected: number
  /** Tasks that died with their thread. */
  readonly lost: number
  readonly crashes: number
  /** Milliseconds in the queue. */
  readonly wait: DurationStats
  /** Milliseconds in the thread. */
  readonly run: DurationStats
  readonly workers: readonly { readonly thread: number; readonly busyMs: number }[]
}

/** Durations in milliseconds, since the beginning. */
interface DurationStats {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
}
