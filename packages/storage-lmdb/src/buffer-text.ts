/** Methods of `Buffer` that look only at the range they are given, whatever `length` says. */
interface BufferText {
  utf8Slice(this: Uint8Array, start: number, end: number): string
  utf8Write(this: Uint8Array, text: string, start: number): number
}

const bufferText = Buffer.prototype as object as BufferText

/** Text of the UTF-8 from `start` to `end`. Safe on the shared buffers of lmdb. */
export function textAt(bytes: Uint8Array, start: number, end: number): string {
  return bufferText.utf8Slice.call(bytes, start, end)
}

/** Writes `text` as UTF-8, which must fit. @returns the position after it. */
export function writeText(text: string, target: Uint8Array, start: number): number {
  return start + bufferText.utf8Write.call(target, text, start)
}

let scratch = new Uint8Array(16 * 1024)

/**
 * The same text with memory of its own. V8 joins texts by pointing at the parts, and cuts them by pointing at the
 * whole, so that one which is kept for a while keeps all of them.
 */
export function inOnePiece(text: string): string {
  const most = text.length * 3
  if (scratch.length < most) scratch = new Uint8Array(most)
  return textAt(scratch, 0, writeText(text, scratch, 0))
}
