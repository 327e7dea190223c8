import { validUtf8Length } from './utf8.ts'

/** What {@link Utf8Stream} gives for a chunk: its text, and whether invalid bytes follow that. */
export interface DecodedChunk {
  readonly text: string
  readonly valid: boolean
}

/**
 * Decodes UTF-8 that comes in chunks cut anywhere. `TextDecoder` does the work and keeps half
 * characters; but when it throws it does not say where, and what came before is lost. So the last
 * bytes are remembered, to find the place of the fault.
 */
export class Utf8Stream {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  /** The last bytes before the next chunk; a character that is cut there is among them. */
  #tail = new Uint8Array(0)

  /** Decodes the next chunk, or the end of the input when there is none. */
  decode(chunk?: Uint8Array): DecodedChunk {
    try {
      const text =
        chunk === undefined ? this.#decoder.decode() : this.#decoder.decode(chunk, { stream: true })
      this.#tail = lastBytes(joined(this.#tail, lastBytes(chunk ?? this.#tail)))
      return { text, valid: true }
    } catch {
      return { text: this.#validText(chunk ?? new Uint8Array(0)), valid: false }
    }
  }

  #validText(chunk: Uint8Array): string {
    const bytes = joined(halfCharacter(this.#tail), chunk)
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      bytes.subarray(0, validUtf8Length(bytes)),
    )
  }
}

/** The bytes at the end that begin a character and don't finish it. All before them are valid. */
function halfCharacter(bytes: Uint8Array): Uint8Array {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const end = bytes.subarray(bytes.length - length)
    const lead = end[0] as number
    if (lead < 0x80) break
    if (lead >= 0xc0) return validUtf8Length(end) === 0 ? end : end.subarray(length)
  }
  return bytes.subarray(bytes.length)
}

function lastBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.slice(-3)
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}
