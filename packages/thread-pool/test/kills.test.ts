import process from 'node:process'
import { expect, test } from 'vitest'
import { codeOf, makePool } from './pools.ts'

// POOL_KILLS=1000 for the long run; FC_SEED repeats one.
const kills = Number(process.env['POOL_KILLS'] ?? 20)

interface Outcome {
  fulfilled: number
  lost: number
  executions: number
  mostOften: number
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
  const outcome: Outcome = { fulfilled: 0, lost: 0, executions: 0, mostOften: 0 }
  let next = 0
  // An object, because the clients share it.
  const killed = { threads: 0 }
  let untilKill = 20
  const killOne = (): void => {
    const living = [...workers]
    const victim = living[Math.floor(random() * living.length)]
    if (victim === undefined) return
    killed.threads++
    void victim.terminate()
  }
  const client = async (): Promise<void> => {
    while (killed.threads < kills) {
      const word = next++
      const task = pool.run(word, { name: 'count', retry, priority: word % 3 })
      const code = await codeOf(task)
      expect(['fulfilled', 'ERR_WORKER_EXITED']).toContain(code)
      if (code === 'fulfilled') outcome.fulfilled++
      else outcome.lost++
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

test('every promise settles and nothing runs twice while threads are killed at random', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0xffffff)
  const outcome = await run(seed, 0)
  expect(outcome.mostOften, `seed ${seed}`).toBe(1)
  expect(outcome.executions, `seed ${seed}`).toBeGreaterThanOrEqual(outcome.fulfilled)
})

test('tasks that may run twice all succeed while threads are killed at random', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0xffffff)
  const outcome = await run(seed, 1000)
  expect(outcome.lost, `seed ${seed}`).toBe(0)
})
