// Threads that are killed at random while they work: what becomes of each task.
import { Worker } from 'node:worker_threads'
import { ThreadPool, ThreadPoolError } from '../src/index.ts'
import type { StartWorker } from '../src/thread.ts'
import type { worker } from './tasks-worker.ts'

export interface KillOptions {
  kills: number
  /** How often a task may run again. */
  retry: number
  /** Chooses threads and moments. */
  seed: number
}

export interface KillOutcome {
  tasks: number
  killed: number
  fulfilled: number
  /** Rejected with `ERR_WORKER_EXITED`. */
  lost: number
  /** Rejected with anything else: a mistake. */
  wrong: unknown[]
  /** Still pending after the pool was closed: a mistake. */
  pending: number
  /** Handlers that were called, and how often for the task that ran most often. */
  executions: number
  mostOften: number
}

/** Keeps 64 tasks in flight until so many threads were killed, and looks at each answer. */
export async function runWithKills({ kills, retry, seed }: KillOptions): Promise<KillOutcome> {
  const random = generator(seed)
  // Which task has run how often: a task that may not be retried must never be seen twice.
  const runs = new Int32Array(new SharedArrayBuffer(4 * 4_000_000))
  const workers = new Set<Worker>()
  const startWorker: StartWorker = (entry, options) => {
    const started = new Worker(entry, { ...options, stderr: true })
    workers.add(started)
    started.on('exit', () => workers.delete(started))
    return started
  }
  await using pool = new ThreadPool<typeof worker>(
    {
      worker: new URL('./tasks-worker.ts', import.meta.url),
      threads: 3,
      concurrentTasksPerWorker: 4,
      crashLoopLimit: Infinity,
      quarantineAfter: Infinity,
      startTimeoutMs: Infinity,
      workerData: { words: runs },
    },
    startWorker,
  )
  const outcome: KillOutcome = {
    tasks: 0,
    killed: 0,
    fulfilled: 0,
    lost: 0,
    wrong: [],
    pending: 0,
    executions: 0,
    mostOften: 0,
  }
  let untilKill = 20
  const killOne = (): void => {
    const living = [...workers]
    const victim = living[Math.floor(random() * living.length)]
    if (victim === undefined) return
    outcome.killed++
    void victim.terminate()
  }
  const client = async (): Promise<void> => {
    while (outcome.killed < kills) {
      const word = outcome.tasks++
      try {
        await pool.run(word, { name: 'count', retry, priority: word % 3 })
        outcome.fulfilled++
      } catch (error) {
        if (error instanceof ThreadPoolError && error.code === 'ERR_WORKER_EXITED') outcome.lost++
        else outcome.wrong.push(error)
      }
      if (--untilKill <= 0) {
        untilKill = Math.floor(random() * 400)
        killOne()
      }
    }
  }
  await Promise.all(Array.from({ length: 64 }, client))
  await pool.close()
  outcome.pending = pool.pending
  for (let word = 0; word < outcome.tasks; word++) {
    const executions = runs[word] ?? 0
    outcome.executions += executions
    outcome.mostOften = Math.max(outcome.mostOften, executions)
  }
  return outcome
}

// Mulberry32, by Tommy Ettinger: small, and the same everywhere.
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
