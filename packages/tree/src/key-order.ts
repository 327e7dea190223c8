/**
 * Orders keys as the children of a node are ordered: keys that read as 32-bit integers come first
 * by number, spellings of one number by length (`1` before `01`) and `-0` before `00`; all others
 * follow by code point. That is also the order of their UTF-8 bytes, so that a store may compare
 * bytes, and differs from the order of UTF-16 units only beyond U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  const left = parseIntegerKey(a)
  const right = parseIntegerKey(b)
  if (left === undefined) return right === undefined ? compareCodePoints(a, b) : 1
  if (right === undefined) return -1
  return left - right || a.length - b.length || compareCodePoints(a, b)
}

const integerKey = /^-?0*\d{1,10}$/

/** The number that a key stands for in key order; `undefined` when it is not a 32-bit integer. */
export function parseIntegerKey(key: string): number | undefined {
  const first = key.charCodeAt(0)
  if (first > 0x39 || first < 0x2d) return undefined
  if (key.length === 1) return first >= 0x30 ? first - 0x30 : undefined
  if (!integerKey.test(key)) return undefined
  const number = Number(key)
  // Adding zero makes -0 an ordinary 0.
  return number >= -0x8000_0000 && number <= 0x7fff_ffff ? number + 0 : undefined
}

/** Orders strings by code point, which is the order of their UTF-8 bytes. */
function compareCodePoints(a: string, b: string): number {
  const common = Math.min(a.length, b.length)
  for (let index = 0; index < common; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) {
      return left < 0xd800 || right < 0xd800 ? left - right : rank(left) - rank(right)
    }
  }
  return a.length - b.length
}

// Surrogates stand for code points beyond U+FFFF, so they and U+E000 to U+FFFF change places.
function rank(unit: number): number {
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
