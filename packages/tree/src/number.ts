// A longer integer is not finite.
const longestFinite = 310

// An integer, maybe with a fraction of zeros.
const integerLiteral = /^(-?\d+)(?:\.0+)?$/

/**
 * Says what is wrong with a JSON number; `undefined` when nothing is. An integer that would be
 * rounded is refused, unless it is the very text that ECMAScript writes for the rounded one:
 * then it is taken for our own. What has an exponent or another fraction is rounded as everywhere.
 */
export function numberFault(literal: string): string | undefined {
  const number = Number(literal)
  if (!Number.isFinite(number)) return 'is not finite'
  if (Number.isSafeInteger(number)) return undefined
  const integer = integerLiteral.exec(literal)?.[1]
  if (integer === undefined || String(number) === integer) return undefined
  if (integer.length <= longestFinite && BigInt(integer) === BigInt(number)) return undefined
  return 'would be rounded: integers beyond 2^53 have to be exact doubles'
}
