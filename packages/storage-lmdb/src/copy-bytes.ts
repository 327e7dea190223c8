const copyBytes = Buffer.prototype.copy as (
  this: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  start: number,
  end: number,
) => number

/** A copy with memory of its own of the bytes from `start` to `end`. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start)
  copyBytes.call(bytes, copy, 0, start, end)
  return copy
}

/** Copies the bytes from `start` to `end` into `target` at `targetStart`. */
export function copyInto(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  targetStart: number,
): void {
  copyBytes.call(bytes, target, targetStart, start, end)
}
