import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { ThreadPool } from '../src/index.ts'
import { play, scenarios } from './settle-suite.ts'

test.each(scenarios)('every promise settles as it should: $title', async (scenario) => {
  const { memoryMb } = scenario
  const pool = new ThreadPool({
    worker: fileURLToPath(new URL('../bench/workers/elkyn.ts', import.meta.url)),
    threads: 2,
    startTimeoutMs: Infinity,
    ...(memoryMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
  })
  onTestFinished(() => pool.destroy())
  const suitePool = {
    run: (task: unknown) => pool.run(task),
    close: () => pool.close(),
  }
  const noLimit = (): Promise<void> => new Promise(() => {})
  const { endings, wanted } = await play(scenario, suitePool, noLimit)
  expect(endings).toEqual(wanted)
})
