import process from 'node:process'
import { expect, test } from 'vitest'
import { makePool } from './pools.ts'

// POOL_KILLS=1000 for the long run; FC_SEED repeats one.
const kills = Number(process.env['POOL_KILLS'] ?? 20)

interface Outcome {
  fulfilled: number
  lost: number
  executions: number
}

// Keeps 64 tasks in flight until so many threads were killed, and looks at each answer.
async function run(seed: number, retry: number): Promise<Outcome> {
  const random = generator(seed)
  // Which task has run how often: a task that may not be retried must never be seen twice.
  const runs = new Int32Array(new SharedArrayBuffer(4 * 1_000_000))
  const { pool, workers } = makePool({
    threads: 3,
    concurrentTasksPerWorker: 4,
    crashLoopLimit: Infinity,
    quarantineAfter: Infinity,
    workerData: { words: runs },
  })
  const outcome: Outcome = { fulfilled: 0, lost: 0, executions: 0 }
  let next = 0
  let killed = 0
  let untilKill = 20
  const killOne = (): void => {
    const living = [...workers]
    const victim = living[Math.floor(random() * living.length)]
    if (victim === undefined) return
    killed++
    void victim.terminate()
  }
  const client = async (): Promise<void> => {
    while (killed < kills) {
      const word = next++
      try {
        expect(await pool.run(word, { name: 'count', retry, priority: word % 3 })).toBeGreaterThan(
          0,
        )
        outcome.fulfilled++
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_WORKER_EXITED' })
        outcome.lost++
      }
      if (--untilKill <= 0) {
        untilKill = Math.floor(random() * 400)
        killOne()
      }
    }
  }
  await Promise.all(Array.from({ length: 64 }, client))
  await pool.close()
  expect(pool.pending).toBe(0)
  expect(outcome.fulfilled + outcome.lost).toBe(next)
  for (let word = 0; word < next; word++) {
    const executions = runs[word] ?? 0
    if (retry === 0) expect(executions).toBeLessThanOrEqual(1)
    outcome.executions += executions
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

test('every promise settles and nothing runs twice while threads are killed at random', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0xffffff)
  const outcome = await run(seed, 0)
  expect(outcome.executions, `seed ${seed}`).toBeGreaterThanOrEqual(outcome.fulfilled)
})

test('tasks that may run twice all succeed while threads are killed at random', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0xffffff)
  const outcome = await run(seed, 1000)
  expect(outcome.lost, `seed ${seed}`).toBe(0)
})
