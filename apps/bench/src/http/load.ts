/** Sends one server requests over many connections, one at a time on each. */
export interface LoadGenerator extends AsyncDisposable {
  readonly name: string
  run(request: LoadRequest): Promise<LoadResult>
}

export interface Request {
  readonly path: string
  /** Default: GET. */
  readonly method?: 'GET' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface LoadRequest {
  readonly port: number
  /** Sent in turn, again and again. */
  readonly requests: readonly Request[]
  readonly connections: number
  readonly seconds: number
}

export interface LoadResult {
  /** Requests that were answered with success. */
  readonly requests: number
  readonly elapsedMs: number
}
