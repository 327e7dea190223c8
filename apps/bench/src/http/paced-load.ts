import { startChild } from '../child.ts'
import type { Request } from './load.ts'

export interface PacedRequest {
  readonly port: number
  /** Sent in turn, again and again. */
  readonly requests: readonly Request[]
  readonly connections: number
  readonly perSecond: number
}

export interface PacedResult {
  readonly answers: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly greatestMs: number
}

/** A client that sends requests at a steady pace, however long their answers take. */
export interface PacedLoad extends AsyncDisposable {
  start(request: PacedRequest): Promise<void>
  stop(): Promise<PacedResult>
}

export async function startPacedLoad(): Promise<PacedLoad> {
  const child = startChild('http/paced-load-process.ts', {})
  await child.answer()
  return {
    async start(request) {
      await child.ask(request)
    },
    stop: async () => (await child.ask('stop')) as PacedResult,
    [Symbol.asyncDispose]: async () => child[Symbol.asyncDispose](),
  }
}
