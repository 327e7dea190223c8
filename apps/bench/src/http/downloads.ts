import { startChild } from '../child.ts'

export interface DownloadRequest {
  readonly port: number
  readonly path: string
  readonly clients: number
  /** What a whole answer has at least. */
  readonly leastBytes: number
}

export interface DownloadResult {
  readonly bytes: number
  readonly elapsedMs: number
}

/** Clients that download something large in a loop. */
export interface Downloads extends AsyncDisposable {
  start(request: DownloadRequest): Promise<void>
  stop(): Promise<DownloadResult>
}

export async function startDownloads(): Promise<Downloads> {
  const child = startChild('http/download-process.ts', {})
  await child.answer()
  return {
    async start(request) {
      await child.ask(request)
    },
    stop: async () => (await child.ask('stop')) as DownloadResult,
    [Symbol.asyncDispose]: async () => child[Symbol.asyncDispose](),
  }
}
