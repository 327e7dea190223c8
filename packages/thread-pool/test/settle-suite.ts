// "Every promise settles exactly once": scenarios that any pool of worker threads can be put through. The worker is `handle()` of
// bench/workers/handle.ts.
import { isDeepStrictEqual } from 'node:util'
import type { Order } from '../bench/workers/handle.ts'

/** What the suite needs of a pool, which has two threads and runs one task a thread. */
export interface SuitePool {
  run(task: unknown): Promise<unknown>
  /** The end that finishes work, if there is one. */
  close(): Promise<unknown>
}

/** How a task may end. */
export type Ending = 'fulfilled' | 'rejected' | 'never' | 'answered with the result of another'

/** A task, and how it has to end. */
interface Trial {
  task: Promise<unknown>
  wanted: Ending
  /** What it has to be fulfilled with. */
  result?: unknown
}

/** One situation. */
export interface Scenario {
  title: string
  /** Old space of each thread, in MiB, if it matters. */
  memoryMb?: number
  /** Makes the trouble. */
  start(pool: SuitePool): Trial[]
}

/** How the tasks of a scenario have ended. */
export interface Verdict {
  endings: Ending[]
  wanted: Ending[]
}

const order = (op: Order['op'], fields: Omit<Order, 'op'> = {}): Order => ({ op, ...fields })

function good(pool: SuitePool, id: number): Trial {
  return { task: pool.run({ id }), wanted: 'fulfilled', result: { id } }
}

function sleep(pool: SuitePool, ms: number): Trial {
  return { task: pool.run(order('sleep', { ms })), wanted: 'fulfilled', result: ms }
}

function bad(pool: SuitePool, task: unknown): Trial {
  return { task: pool.run(task), wanted: 'rejected' }
}

/** One bad task among five good ones. */
function oneOfSix(title: string, make: () => unknown, memoryMb?: number): Scenario {
  return {
    title,
    ...(memoryMb === undefined ? {} : { memoryMb }),
    start: (pool) =>
      [1, 2, 3, 4, 5, 6].map((id) => (id === 2 ? bad(pool, make()) : good(pool, id))),
  }
}

/** Tasks of some lengths, and the pool is closed at once. */
function closeWith(title: string, lengthsMs: number[]): Scenario {
  return {
    title,
    start(pool) {
      const trials = lengthsMs.map((ms) => sleep(pool, ms))
      void pool.close().catch(() => {})
      return trials
    },
  }
}

/** All scenarios. */
export const scenarios: readonly Scenario[] = [
  oneOfSix('one of six tasks throws', () => order('throw')),
  oneOfSix('one of six tasks calls process.exit(7)', () => order('exit', { code: 7 })),
  oneOfSix('one of six tasks calls process.exit(0)', () => order('exit', { code: 0 })),
  oneOfSix('one of six tasks throws in a callback', () => order('throw later')),
  oneOfSix('one of six tasks runs out of memory', () => order('out of memory'), 64),
  oneOfSix('the result of one of six tasks cannot be cloned', () => order('unclonable')),
  oneOfSix('the result of one of six tasks is too deep to be read', () => order('nested')),
  oneOfSix('one of six tasks cannot be cloned', () => ({ id: () => 1 })),
  {
    title: 'every eighth of 80 tasks calls process.exit(1)',
    start: (pool) =>
      Array.from({ length: 80 }, (_, index) =>
        index % 8 === 7 ? bad(pool, order('exit', { code: 1 })) : good(pool, index),
      ),
  },
  closeWith('closed with two tasks running, of 60 and 200 ms', [60, 200]),
  closeWith(
    'closed with two running and six waiting, 50 ms each',
    Array.from({ length: 8 }, () => 50),
  ),
  closeWith(
    'closed with two running and six waiting, 10 to 150 ms',
    [150, 10, 120, 20, 90, 30, 60, 40],
  ),
  {
    title: 'closed while the first of eight tasks calls process.exit(1)',
    start(pool) {
      const trials = [bad(pool, order('exit', { code: 1 }))]
      for (let count = 0; count < 7; count++) trials.push(sleep(pool, 20))
      void pool.close().catch(() => {})
      return trials
    },
  },
  {
    title: 'a task after the pool was closed',
    start(pool) {
      const closeAndRun = async (): Promise<unknown> => {
        await pool.close()
        return pool.run({})
      }
      return [{ task: closeAndRun(), wanted: 'rejected' }]
    },
  },
]

/**
 * Puts a pool through a scenario.
 * @param limit called once the trouble begins; when it settles, what has not ended by then counts as `never`
 */
export async function play(
  scenario: Scenario,
  pool: SuitePool,
  limit: () => Promise<void>,
): Promise<Verdict> {
  // Both threads are up.
  await Promise.all([1, 2, 3, 4].map((ms) => pool.run(order('sleep', { ms }))))
  const trials = scenario.start({
    run: async (task) => pool.run(task),
    close: async () => pool.close(),
  })
  const never = limit().then((): Ending => 'never')
  const endings = await Promise.all(trials.map((trial) => Promise.race([ending(trial), never])))
  return { endings, wanted: trials.map((trial) => trial.wanted) }
}

async function ending({ task, wanted, result }: Trial): Promise<Ending> {
  try {
    const value = await task
    if (wanted !== 'fulfilled' || isDeepStrictEqual(value, result)) return 'fulfilled'
    return 'answered with the result of another'
  } catch {
    return 'rejected'
  }
}
