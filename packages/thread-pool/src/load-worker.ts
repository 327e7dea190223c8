import { isWorkerDefinition } from './define-worker.ts'
import type { Handler, WorkerDefinition } from './define-worker.ts'

/**
 * Imports a worker module. Without {@link defineWorker} in it, its exported functions are the handlers, and the default
 * export, or all of a CommonJS module, is the one called `default`.
 *
 * @throws {TypeError} if it exports neither
 */
export async function loadWorker(url: string): Promise<WorkerDefinition> {
  const module: Record<string, unknown> = await import(url)
  for (const exported of Object.values(module)) {
    if (isWorkerDefinition(exported)) return exported
  }
  const handlers: Record<string, Handler> = {}
  for (const [name, exported] of Object.entries(module)) {
    if (typeof exported === 'function') handlers[name] = exported as Handler
  }
  if (Object.keys(handlers).length > 0) return { handlers }
  throw new TypeError(
    `Cannot use ${url} as a worker: it exports neither functions nor the result of defineWorker()`,
  )
}
