// Head and body of an answer leave in one piece when both are text, and in two when the body is bytes. For small bodies the
// detour over a string costs less than the second piece.
const maxTextBytes = 4096

/** A small body as text that is sent as `latin1`; `undefined` for one that is better sent as the bytes that it is. */
export function textOfBody(body: Uint8Array): string | undefined {
  if (body.length > maxTextBytes) return undefined
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1')
}
