import process from 'node:process'
import { expect, test } from 'vitest'
import { createSharedQueue } from '../src/shared-queue.ts'
import { StressRun } from './threads/stress-run.ts'

// Eight threads and this one. ELKYN_TEST_STRESS multiplies the items: 100 makes four million.
// ELKYN_TEST_SEED kills the same threads in the same order again.
const scale = Number(process.env['ELKYN_TEST_STRESS'] ?? 1)
const producers = 4
const consumers = 4
const items = 5_000 * scale
const seed = Number(process.env['ELKYN_TEST_SEED'] ?? 1 + (Date.now() % 1_000_000))

const below = 2 ** 31 - 1_000

function startRun(): StressRun {
  const run = new StressRun(
    producers,
    items,
    createSharedQueue({ capacity: 64, bands: 2, arenaBytes: 16_384, blockBytes: 256 }, below),
    seed,
  )
  for (let i = 0; i < producers; i++) run.startProducer(i)
  for (let i = 0; i < consumers; i++) run.startConsumer(i)
  return run
}

test('eight threads pass every item once and in order, over the wrap', async () => {
  const run = startRun()
  await run.producersEnd()
  run.queue.close()
  await run.allEnd()
  run.assertOnce()
  expect(run.lost()).toEqual([])
  run.assertClean()
})

test('threads that are killed lose nothing but what they had in hand', async () => {
  const run = startRun()
  const kills = 40 * Math.ceil(Math.sqrt(scale))
  for (let kill = 1; kill <= kills; kill++) {
    await run.taken((producers * items * 0.9 * kill) / kills)
    if (!(await run.killOne())) break
  }
  await run.producersEnd()
  run.queue.close()
  await run.allEnd()
  run.assertOnce()
  // Each is either one that a dead consumer had in hand, or one whose enqueue had not returned.
  expect(
    run.lost().filter((tag) => !run.excused.has(tag)),
    `seed ${seed}`,
  ).toEqual([])
  run.assertClean()
})
