/** Stable codes of {@link StorageError}. Adding one is a minor change, removing one is major. */
export type StorageErrorCode =
  | 'ERR_STORE_LOCKED'
  | 'ERR_FORMAT_UNKNOWN'
  | 'ERR_FOLDER_INVALID'
  | 'ERR_KEY_REQUIRED'
  | 'ERR_KEY_WRONG'
  | 'ERR_STORE_CORRUPT'
  | 'ERR_INDEX_FAILED'

/** Thrown when a data folder cannot be opened, or what lies in it cannot be used or not be indexed. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
