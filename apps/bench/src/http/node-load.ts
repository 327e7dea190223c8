import { startChild } from '../child.ts'
import type { LoadGenerator, LoadResult } from './load.ts'

/** A client on node:net, for machines without wrk. It takes as much of a core as the servers do. */
export async function startNodeLoad(): Promise<LoadGenerator> {
  const child = startChild('http/node-load-process.ts', {})
  await child.answer()
  return {
    name: 'a client on node:net',
    run: async (request) => (await child.ask(request)) as LoadResult,
    [Symbol.asyncDispose]: async () => child[Symbol.asyncDispose](),
  }
}
