/** Memory of less is left to be collected. It may also be a part of that which Node.js cuts small buffers from. */
const minBytes = 64 * 1024

/**
 * Gives the memory of bytes back that nobody looks at any more, where it is much. A collection comes later, and not as long
 * as somebody who pauses still knows of them.
 * @param bytes Where they are many, in memory of their own.
 */
export function giveBack(bytes: Uint8Array): void {
  if (bytes.length > minBytes) (bytes.buffer as ArrayBuffer).transfer(0)
}
