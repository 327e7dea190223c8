/** Whether bytes have been transferred, or their memory has shrunk below them. They have a length of 0 then. */
export function isDetached(bytes: Uint8Array): boolean {
  return bytes.length === 0 && reasonOf(bytes) !== undefined
}

/**
 * Detached bytes would be put in as an item, or a chunk, without bytes, or throw when they are read.
 * @throws {TypeError} for them
 */
export function refuseDetached(bytes: Uint8Array): void {
  if (bytes.length > 0) return
  const cause = reasonOf(bytes)
  if (cause === undefined) return
  const message = 'Cannot put in bytes that are detached: their memory was transferred, or shrunk'
  throw new TypeError(message, { cause })
}

function reasonOf(bytes: Uint8Array): unknown {
  try {
    // Every method looks whether there is still memory behind them.
    bytes.at(0)
    return undefined
  } catch (error) {
    return error
  }
}
