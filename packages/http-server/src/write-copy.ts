import type { OutgoingStream } from './exchange.ts'

/** Writes bytes that may change afterwards where nobody could say when they have left. */
export function writeCopy(
  stream: Pick<OutgoingStream, 'write'>,
  bytes: Uint8Array,
  release: () => void,
): boolean {
  const copy = Buffer.from(bytes)
  release()
  return stream.write(copy)
}
