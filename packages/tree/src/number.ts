// A longer integer is not finite.
const longestFinite = 310

const integerLiteral = /^-?\d+$/

/**
 * Says what is wrong with a JSON number; `undefined` when nothing is. An integer that would be
 * rounded is refused, unless it is the very text that ECMAScript writes for the rounded one:
 * then it is taken for our own. Fractions are rounded as everywhere.
 */
export function numberFault(literal: string): string | undefined {
  const number = Number(literal)
  if (!Number.isFinite(number)) return 'is not finite'
  if (Number.isSafeInteger(number) || !integerLiteral.test(literal)) return undefined
  if (String(number) === literal) return undefined
  if (literal.length <= longestFinite && BigInt(literal) === BigInt(number)) return undefined
  return 'would be rounded: integers beyond 2^53 have to be exact doubles'
}
