import { startChild } from '../child.ts'

export interface UploadRequest {
  readonly port: number
  readonly path: string
  /** The body. */
  readonly file: string
}

export interface UploadResult {
  readonly elapsedMs: number
}

/** A client that puts large files. */
export interface Uploads extends AsyncDisposable {
  put(request: UploadRequest): Promise<UploadResult>
}

export async function startUploads(): Promise<Uploads> {
  const child = startChild('http/upload-process.ts', {})
  await child.answer()
  return {
    put: async (request) => (await child.ask(request)) as UploadResult,
    [Symbol.asyncDispose]: async () => child[Symbol.asyncDispose](),
  }
}
