import { startChild } from './child.ts'
import type { EngineJob, EngineReady, TrialRequest } from './engine-process.ts'
import type { Contender, TrialResult } from './rounds.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

export interface EngineContenderOptions extends Omit<EngineJob, 'folder'> {
  /** Name in the table. Default: the engine's. */
  readonly name?: string
}

/** Starts an engine in a process and a folder of its own, filled and checked. */
export async function startEngine(options: EngineContenderOptions): Promise<Contender> {
  const { name = options.engine, ...job } = options
  await using resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await makeTemporaryFolder())
  const child = resources.use(startChild('engine-process.ts', { ...job, folder }))
  const { durability } = (await child.answer()) as EngineReady
  const owned = resources.move()
  return {
    name,
    note: durability,
    trial: async (count) => (await child.ask({ count } satisfies TrialRequest)) as TrialResult,
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}
