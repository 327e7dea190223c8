import { endOfString } from './json-strings.ts'
import { colon } from './json-units.ts'

/**
 * `JSON.parse` for text whose keys hold no escapes; `undefined` where one does. V8 from 12.8 on
 * (Node 24 and 26 at the time of writing) may give such a key a wrong name: it compares the source
 * of the key, not what it means, with a key that it met before in an object of the same shape.
 * After `{"a":1,"\\":1}` the text `{"a":1,"\"":1}` has the key `\`.
 *
 * @see https://github.com/nodejs/node/issues/63785
 * @throws {SyntaxError} as `JSON.parse`.
 */
export function parseNativeJson(text: string): { readonly value: unknown } | undefined {
  return hasEscapedKey(text) ? undefined : { value: JSON.parse(text) as unknown }
}

/** Whether a key in JSON text holds an escape. Of text that is no JSON it may say either. */
export function hasEscapedKey(text: string): boolean {
  let at = text.indexOf('\\')
  while (at !== -1) {
    // Backslashes stand only in strings: this is one of the string that ends next.
    const end = endOfString(text, at)
    if (nextUnit(text, end) === colon) return true
    at = text.indexOf('\\', end)
  }
  return false
}

/** The first unit from `at` on that is no white space. */
function nextUnit(text: string, at: number): number {
  let next = at
  while (text.charCodeAt(next) <= 0x20) next++
  return text.charCodeAt(next)
}
