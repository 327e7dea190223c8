// What each thread of a pool runs first. The pool says hello with the boot message, then the worker module is loaded.
import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { packThrown } from './error-codec.ts'
import { loadWorker } from './load-worker.ts'
import type { BootMessage, ToPool } from './messages.ts'
import { WorkerRuntime } from './worker-runtime.ts'

parentPort?.once('message', (boot: BootMessage) => void start(boot))

async function start(boot: BootMessage): Promise<void> {
  const say = (message: ToPool): void => boot.port.postMessage(message)
  // Alive while the module loads, whatever it does.
  boot.port.ref()
  say({ type: 'hello' })
  let exitCode = 0
  let step: 'import' | 'setup' = 'import'
  try {
    const definition = await loadWorker(boot.worker)
    step = 'setup'
    const state: unknown = await definition.setup?.({ thread: boot.thread, workerData })
    await new WorkerRuntime(boot, workerData).run(definition, state)
  } catch (error) {
    say({ type: 'failed', step, error: packThrown(error) })
    exitCode = 1
  }
  // What was logged leaves by messages, too: one turn, then the thread ends, timers of the module or not.
  setImmediate(() => process.exit(exitCode))
}
