import type { DecisiveHeaders, HttpRequestHead } from './message.ts'
import type { Parameters } from './parameters.ts'
import { Refusal } from './refusal.ts'

// What this version doesn't do, all in one place. A request for any of it is answered 501: to
// ignore a credential, a query or a size limit would answer another question than was asked.

type Use = 'any' | 'read' | 'write' | 'POST'

const paths: readonly (readonly [path: RegExp, use: Use, feature: string])[] = [
  [/^\/auth\/token$/, 'POST', 'authentication'],
  [/^\/index\.html$/, 'any', 'the dashboard'],
  [/^\/\.settings(?:\/|\.json$|$)/, 'any', 'rules and settings'],
  [/^\/\.inspect(?:\/|\.json$|$)/, 'any', 'inspection'],
]

const parameters: readonly (readonly [names: readonly string[], use: Use, feature: string])[] = [
  [['auth', 'access_token', 'auth_variable_override'], 'any', 'authentication'],
]

const headers: readonly (readonly [
  name: keyof DecisiveHeaders,
  value: RegExp,
  use: Use,
  feature: string,
])[] = [['authorization', /^/, 'any', 'authentication']]

/** @throws {Refusal} 501 for a path that a later version will answer. */
export function refusePath(method: string, pathname: string): void {
  for (const [path, use, feature] of paths) {
    if (path.test(pathname) && isUsed(use, method)) throw notYet(feature, pathname)
  }
}

/** @throws {Refusal} 501 for a parameter that this version can't honour. */
export function refuseParameters(method: string, given: Parameters): void {
  if (given.size === 0) return
  for (const [names, use, feature] of parameters) {
    for (const name of names) {
      if (given.has(name) && isUsed(use, method)) throw notYet(feature, name)
    }
  }
}

/** @throws {Refusal} 501 for a header that this version can't honour. */
export function refuseHeaders(method: string, given: HttpRequestHead['headers']): void {
  for (const [name, value, use, feature] of headers) {
    const text = given[name]
    if (text !== undefined && isUsed(use, method) && value.test(String(text))) {
      throw notYet(feature, name)
    }
  }
}

function isUsed(use: Use, method: string): boolean {
  if (use === 'any' || use === method) return true
  const reads = method === 'GET' || method === 'HEAD'
  return use === (reads ? 'read' : 'write')
}

function notYet(feature: string, what: string): Refusal {
  return new Refusal(501, `Not implemented yet: ${feature} (${what})`)
}
