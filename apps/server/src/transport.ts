/** JSON text, whole or as it comes. */
export type JsonBody = Uint8Array | AsyncIterable<Uint8Array>

export interface RestRequest {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE'
  /** The path on the `.json` surface, percent-encoded, such as `/users/ada.json`. */
  readonly pathname: string
  readonly query: Readonly<Record<string, string>>
  readonly body?: JsonBody
}

export interface RestResponse {
  readonly status: number
  /** Has to be taken to its end, or ended. */
  readonly body: AsyncIterable<Uint8Array>
  /** What was thrown, where that is known of an answer that only says that something failed. */
  readonly failure?: unknown
}

/** Carries REST requests to a tree: to a server, or straight into a data folder. */
export interface Transport extends AsyncDisposable {
  /** How messages name the other end. */
  readonly label: string
  /**
   * Whether one write may have any size. Otherwise an import sends several.
   */
  readonly takesAnySize: boolean
  /** Whether the root is above several databases, of which each may be as deep as a tree. */
  readonly hasAllDatabases: boolean
  /**
   * Answers with any status. Where the body fails, its own error is thrown.
   * @throws {CommandError} `unavailable` when the other end cannot be reached.
   */
  send(request: RestRequest): Promise<RestResponse>
}
