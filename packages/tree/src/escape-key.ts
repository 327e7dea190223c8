import { forbiddenCharacters } from './key.ts'

const special = new RegExp(`[${forbiddenCharacters}%\\p{Surrogate}]`, 'gu')
const escaped = /%(?:[01][\dA-F]|7F|2E|24|23|5B|5D|2F|25|D[89A-F][\dA-F]{2})/g

/**
 * Makes a key of any name: what a key can't hold is percent-encoded, and so is `%` itself. Half of
 * a surrogate pair becomes `%` and its four digits, the empty name a lone `%`. Length is not looked
 * at.
 */
export function escapeKey(name: string): string {
  if (name === '') return '%'
  return name.replace(special, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}

/** The name that {@link escapeKey} made a key of. What it never writes stays as it is. */
export function unescapeKey(key: string): string {
  if (key === '%') return ''
  return key.replace(escaped, (sequence) => {
    return String.fromCharCode(Number.parseInt(sequence.slice(1), 16))
  })
}
