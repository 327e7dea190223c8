import process from 'node:process'
import { expect, test } from 'vitest'
import { runWithKills } from './kill-run.ts'

// ELKYN_TEST_KILLS=1000 for the long run, which bench/kills.ts makes and records; FC_SEED repeats one.
const kills = Number(process.env['ELKYN_TEST_KILLS'] ?? 20)
const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0xffffff)

test('every promise settles and nothing runs twice while threads are killed at random', async () => {
  const outcome = await runWithKills({ kills, retry: 0, seed })
  const { tasks, fulfilled, lost, executions } = outcome
  expect(outcome, `seed ${seed}`).toMatchObject({ wrong: [], pending: 0, mostOften: 1 })
  expect(fulfilled + lost, `seed ${seed}`).toBe(tasks)
  expect(executions, `seed ${seed}`).toBeGreaterThanOrEqual(fulfilled)
})

test('tasks that may run twice all succeed while threads are killed at random', async () => {
  const { tasks, fulfilled, wrong } = await runWithKills({ kills, retry: 1000, seed })
  expect({ fulfilled, wrong }, `seed ${seed}`).toEqual({ fulfilled: tasks, wrong: [] })
})
