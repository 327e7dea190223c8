/** How the bytes of an answer may be coded: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1 */
export type ContentCoding = 'br' | 'gzip'

/** The codings that a client takes, those it likes best first. */
export type AcceptedCodings = readonly ContentCoding[]

const none: AcceptedCodings = []

// Clients send the same few texts again and again.
const known = new Map<string, AcceptedCodings>()
const maxKnown = 256
const maxKnownLength = 256

/** Reads `Accept-Encoding`. Among codings that a client likes as well as each other, `br` is the first. */
export function acceptedCodings(header: string | readonly string[] | undefined): AcceptedCodings {
  if (header === undefined) return none
  const text = String(header)
  const before = known.get(text)
  if (before !== undefined) return before
  const codings = parseCodings(text)
  if (known.size < maxKnown && text.length < maxKnownLength) known.set(text, codings)
  return codings
}

function parseCodings(text: string): AcceptedCodings {
  const weights = new Map<string, number>()
  for (const part of text.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase())
    if (name !== '') weights.set(name === 'x-gzip' ? 'gzip' : name, weightOf(parameters))
  }
  const weightFor = (name: string): number => weights.get(name) ?? weights.get('*') ?? 0
  // Without a word about it, to leave the bytes as they are is as good as nothing else.
  const identity = weights.get('identity') ?? 0
  return (['br', 'gzip'] as const)
    .filter((coding) => weightFor(coding) > 0 && weightFor(coding) >= identity)
    .toSorted((a, b) => weightFor(b) - weightFor(a))
}

// https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2
function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  if (weight === undefined) return 1
  const value = Number(weight.slice(2))
  // What is no weight gives no right to anything.
  return value >= 0 && value <= 1 ? value : 0
}
