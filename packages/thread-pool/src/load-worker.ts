import { isWorkerDefinition } from './define-worker.ts'
import type { Handler, WorkerDefinition } from './define-worker.ts'

/**
 * Imports a worker module. Without {@link defineWorker} in it, its exported functions are the handlers, and the default
 * export, or all of a CommonJS module, is the one called `default`. Exported promises are awaited.
 *
 * @throws {TypeError} if it exports neither
 */
export async function loadWorker(url: string): Promise<WorkerDefinition> {
  const handlers: Record<string, Handler> = {}
  for (const [name, value] of Object.entries(await exportsOf(url))) {
    const exported: unknown = await value
    if (isWorkerDefinition(exported)) return exported
    if (typeof exported === 'function') handlers[name] = exported as Handler
  }
  if (Object.keys(handlers).length > 0) return { handlers }
  throw new TypeError(
    `Cannot use ${url} as a worker: it exports neither functions nor the result of defineWorker()`,
  )
}

/** By name, whichever kind of module it is. */
async function exportsOf(url: string): Promise<Record<string, unknown>> {
  // Some versions of Node.js repeat what a CommonJS module exports under this name.
  const { 'module.exports': _, ...module } = (await import(url)) as Record<string, unknown>
  const main: unknown = await module['default']
  if (typeof main !== 'object' || main === null || isWorkerDefinition(main)) return module
  // In `default` lies all of a CommonJS module, also what Node.js did not find by reading it.
  delete module['default']
  return { ...module, ...main }
}
