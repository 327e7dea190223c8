import { backslash } from './json-units.ts'

/** The end of the string that begins at a place of JSON text, or at whose first backslash that is. */
export function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    if (!isEscaped(text, at)) return at + 1
  }
  return text.length
}

/** Whether an odd number of backslashes stands before a place in a string. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === backslash) first--
  return (at - first) % 2 === 1
}
