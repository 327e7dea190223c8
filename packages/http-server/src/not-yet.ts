import type { DecisiveHeaders, HttpRequestHead } from './message.ts'
import type { Parameters } from './parameters.ts'
import { Refusal } from './refusal.ts'

// What this version doesn't do, all in one place. A request for any of it is answered 501: to
// ignore a credential would answer another question than was asked.

const paths: readonly (readonly [path: RegExp, method: 'any' | 'POST', feature: string])[] = [
  [/^\/auth\/token$/, 'POST', 'authentication'],
  [/^\/index\.html$/, 'any', 'the dashboard'],
  [/^\/\.settings(?:\/|\.json$|$)/, 'any', 'rules and settings'],
  [/^\/\.inspect(?:\/|\.json$|$)/, 'any', 'inspection'],
]

const parameters: readonly (readonly [name: string, feature: string])[] = [
  ['auth', 'authentication'],
  ['access_token', 'authentication'],
  ['auth_variable_override', 'authentication'],
]

const headers: readonly (readonly [name: keyof DecisiveHeaders, feature: string])[] = [
  ['authorization', 'authentication'],
]

/** @throws {Refusal} 501 for a path that a later version will answer. */
export function refusePath(method: string, pathname: string): void {
  for (const [path, only, feature] of paths) {
    if (path.test(pathname) && (only === 'any' || only === method)) throw notYet(feature, pathname)
  }
}

/** @throws {Refusal} 501 for a parameter that this version can't honour. */
export function refuseParameters(given: Parameters): void {
  if (given.size === 0) return
  for (const [name, feature] of parameters) if (given.has(name)) throw notYet(feature, name)
}

/** @throws {Refusal} 501 for a header that this version can't honour. */
export function refuseHeaders(given: HttpRequestHead['headers']): void {
  for (const [name, feature] of headers) if (given[name] !== undefined) throw notYet(feature, name)
}

function notYet(feature: string, what: string): Refusal {
  return new Refusal(501, `Not implemented yet: ${feature} (${what})`)
}
