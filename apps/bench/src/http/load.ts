/** Asks one server for records, over many connections, one request at a time on each. */
export interface LoadGenerator extends AsyncDisposable {
  readonly name: string
  run(request: LoadRequest): Promise<LoadResult>
}

export interface LoadRequest {
  readonly port: number
  /** Sent in turn, again and again. */
  readonly paths: readonly string[]
  readonly connections: number
  readonly seconds: number
}

export interface LoadResult {
  /** Requests that were answered with 200. */
  readonly requests: number
  readonly elapsedMs: number
}
