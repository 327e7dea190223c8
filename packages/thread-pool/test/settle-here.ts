import { fileURLToPath } from 'node:url'
import { ThreadPool } from '../src/index.ts'
import { play } from './settle-suite.ts'
import type { Scenario, Verdict } from './settle-suite.ts'

/** Puts our pool through a scenario, in this process. */
export async function settleHere(scenario: Scenario): Promise<Verdict> {
  const { memoryMb } = scenario
  const pool = new ThreadPool({
    worker: fileURLToPath(new URL('../bench/workers/elkyn.ts', import.meta.url)),
    threads: 2,
    startTimeoutMs: Infinity,
    ...(memoryMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
  })
  const suitePool = {
    run: (task: unknown) => pool.run(task),
    close: () => pool.close(),
  }
  const noLimit = (): Promise<void> => new Promise(() => {})
  try {
    return await play(scenario, suitePool, noLimit)
  } finally {
    await pool.destroy()
  }
}
