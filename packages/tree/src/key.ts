import { TreeError } from './errors.ts'
import { maxKeyBytes } from './limits.ts'
import { exceedsUtf8Length } from './utf8.ts'

/** What is wrong with a key, to be put behind "a key". */
export interface KeyFault {
  readonly text: string
  readonly tooLong: boolean
  /** Set for an ASCII control character. */
  readonly isControl?: boolean
}

/** What no key can hold, apart from halves of surrogate pairs, as it stands in the brackets of an expression. */
export const forbiddenCharacters: string = String.raw`\u0000-\u001f\u007f.$#[\]/`

const forbidden = new RegExp(`[${forbiddenCharacters}]`)

const empty: KeyFault = { text: 'cannot be empty', tooLong: false }
const tooLong: KeyFault = { text: `cannot have more than ${maxKeyBytes} bytes`, tooLong: true }
const surrogate: KeyFault = { text: 'cannot hold half of a surrogate pair', tooLong: false }

// 1 for the ASCII characters that are allowed in a key and stand for themselves in JSON.
const plain = Uint8Array.from({ length: 0x80 }, (_, code) => {
  const character = String.fromCharCode(code)
  return forbidden.test(character) || '"\\'.includes(character) ? 0 : 1
})

/**
 * Whether a key is short, ASCII, valid and needs no escape in JSON. Of other keys it says nothing;
 * it is only many times faster than looking at them closely.
 */
export function isPlainKey(key: string): boolean {
  const { length } = key
  if (length === 0 || length > maxKeyBytes) return false
  for (let index = 0; index < length; index++) {
    if (plain[key.charCodeAt(index)] !== 1) return false
  }
  return true
}

/**
 * Where the plain key ends that begins at `at` of a text: at the first character that is none of its.
 * -1 when it is empty or too long.
 */
export function plainKeyEnd(text: string, at: number): number {
  let end = at
  while (plain[text.charCodeAt(end)] === 1) end++
  return end > at && end - at <= maxKeyBytes ? end : -1
}

/** Says what is wrong with a key; `undefined` when nothing is. */
export function keyFault(key: string): KeyFault | undefined {
  if (isPlainKey(key)) return undefined
  if (key === '') return empty
  const character = forbidden.exec(key)?.[0]
  if (character !== undefined) {
    const isControl = !/[.$#[\]/]/.test(character)
    return { text: `cannot hold ${shownCharacter(character)}`, tooLong: false, isControl }
  }
  if (exceedsUtf8Length(key, maxKeyBytes)) return tooLong
  // Two halves of different pairs have the same UTF-8, so two keys would become one.
  return key.isWellFormed() ? undefined : surrogate
}

function shownCharacter(character: string): string {
  return character === '\u007f' ? '"\\u007f"' : JSON.stringify(character)
}

/**
 * Checks the name of a child: 1 to 768 bytes of UTF-8, without `.` `$` `#` `[` `]` `/` and ASCII
 * control characters.
 * @throws {TreeError} `ERR_INVALID_KEY`
 */
export function checkKey(key: string): void {
  const fault = keyFault(key)
  if (fault !== undefined) {
    throw new TreeError('ERR_INVALID_KEY', `Invalid key ${JSON.stringify(key)}: it ${fault.text}`)
  }
}
