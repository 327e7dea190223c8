/**
 * Bytes that have been transferred have a length of 0: they would be put in as an item, or a chunk, without bytes.
 * @throws {TypeError} for them
 */
export function refuseDetached({ length, buffer }: Uint8Array): void {
  if (length > 0 || !(buffer instanceof ArrayBuffer) || !buffer.detached) return
  throw new TypeError('Cannot put in bytes that are detached: they were transferred elsewhere')
}
