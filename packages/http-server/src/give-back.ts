/**
 * Gives the memory of bytes back that nobody will look at any more, where it holds nothing else. A collection
 * would do so later, but V8 begins one for each few megabytes of it, and stops the thread for that.
 * @param headBytes How much may lie before them that belongs to them. Default: 0.
 */
export function giveBack(bytes: Uint8Array, headBytes = 0): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && bytes.length + headBytes >= buffer.byteLength) {
    buffer.transfer(0)
  }
}
