/**
 * Bytes that have been transferred, or whose memory has shrunk below them, have a length of 0: they would be put in as an item,
 * or a chunk, without bytes, or throw when they are read.
 * @throws {TypeError} for them
 */
export function refuseDetached(bytes: Uint8Array): void {
  if (bytes.length > 0) return
  try {
    // Every method looks whether there is still memory behind them.
    bytes.at(0)
  } catch (cause) {
    const message = 'Cannot put in bytes that are detached: their memory was transferred, or shrunk'
    throw new TypeError(message, { cause })
  }
}
