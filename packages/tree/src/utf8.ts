/** Number of bytes that `text` has in UTF-8. A lone surrogate counts 3, as its replacement does. */
function utf8Length(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    if (unit < 0x800) {
      bytes += 1
      continue
    }
    bytes += 2
    if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(index + 1))) index++
  }
  return bytes
}

/** Whether `text` has more than `limit` bytes in UTF-8; counts only where its length leaves a doubt. */
export function exceedsUtf8Length(text: string, limit: number): boolean {
  if (text.length * 3 <= limit) return false
  return text.length > limit || utf8Length(text) > limit
}

export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

export function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}

/** Length of the longest prefix of `bytes` that is whole, valid UTF-8. */
export function validUtf8Length(bytes: Uint8Array): number {
  let at = 0
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at)
    if (length === 0) return at
    at += length
  }
  return at
}

/** Length of the sequence that begins at `at`, 0 when it is invalid or not whole. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number
  if (lead < 0x80) return 1
  const length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  for (let index = 1; index < length; index++) {
    const byte = bytes[at + index]
    if (byte === undefined || byte < 0x80 || byte > 0xbf) return 0
    // Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing over U+10FFFF.
    if (index === 1 && !isSecondByte(lead, byte)) return 0
  }
  return length
}

function isSecondByte(lead: number, byte: number): boolean {
  if (lead === 0xe0) return byte >= 0xa0
  if (lead === 0xed) return byte <= 0x9f
  if (lead === 0xf0) return byte >= 0x90
  return lead !== 0xf4 || byte <= 0x8f
}
