import type { LoadGenerator } from './load.ts'
import { startNodeLoad } from './node-load.ts'
import { findWrk } from './wrk.ts'

/** The best client that there is on this machine. */
export async function startLoad(): Promise<LoadGenerator> {
  return (await findWrk()) ?? startNodeLoad()
}
