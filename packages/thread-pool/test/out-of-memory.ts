// Run as a process by crash.test.ts: a handler that runs out of memory, and a task after it.
import { ThreadPool } from '../src/index.ts'
import type { ThreadPoolError } from '../src/index.ts'
import type { worker } from './tasks-worker.ts'

await using pool = new ThreadPool<typeof worker>({
  worker: new URL('./tasks-worker.ts', import.meta.url),
  threads: 1,
  resourceLimits: { maxOldGenerationSizeMb: 32 },
})
try {
  await pool.run(undefined, { name: 'outOfMemory' })
} catch (error) {
  const { code, cause } = error as ThreadPoolError & { cause: { code: string } }
  console.log(`${code}, because of ${cause.code}`)
}
console.log(await pool.run('next'))
