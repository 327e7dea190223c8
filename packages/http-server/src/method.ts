import type { HttpRequestHead, HttpResponse } from './message.ts'
import { parseParameters } from './parameters.ts'
import type { Parameters } from './parameters.ts'
import { Refusal } from './refusal.ts'
import { errorResponse } from './response.ts'
import { parseTarget } from './target.ts'

/** What can be done to a place in the tree. */
export const methods = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE'] as const

export type Method = (typeof methods)[number]

const known: ReadonlySet<string> = new Set(methods)

const overrideName = 'x-http-method-override'

/** The methods that a server answers, as an `Allow` header lists them. */
export const allowedMethods: string = [...methods, 'OPTIONS'].join(', ')

/** The same where there is nothing to write. */
export const safeMethods = 'GET, HEAD, OPTIONS'

/** Whether a method only reads. Two such requests may be answered in any order. */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/** The same of a request, which may be a `POST` that means another method. */
export function onlyReads(head: HttpRequestHead): boolean {
  if (head.method !== 'POST') return isSafe(head.method)
  if (head.headers[overrideName] === undefined && !/override/i.test(head.url)) return false
  try {
    return isSafe(effectiveMethod(head, parseParameters(parseTarget(head.url).query)))
  } catch {
    // It will be refused.
    return false
  }
}

/**
 * The method that is meant: a `POST` may say another one, for clients that can send no other.
 * The header counts before the parameter.
 * @throws {Refusal} 405 for a method that nothing here has, 400 for an override to one.
 */
export function effectiveMethod(head: HttpRequestHead, parameters: Parameters): Method {
  if (head.method === 'POST') {
    const override = head.headers[overrideName] ?? overrideOf(parameters)
    return override === undefined ? 'POST' : overriding(String(override))
  }
  if (isMethod(head.method)) return head.method
  throw methodNotAllowed()
}

/** The refusal of a method that has no meaning where it was sent, with those that have one. */
export function methodNotAllowed(allowed: string = allowedMethods): Refusal {
  return new Refusal(405, 'Method not allowed', ['Allow', allowed])
}

/** The same as an answer, to what is refused before it is looked at. */
export function methodNotAllowedResponse(allowed: string = allowedMethods): HttpResponse {
  const { status, message, headers } = methodNotAllowed(allowed)
  return errorResponse(status, message, headers)
}

/** Its name is that of the header, in any case. */
function overrideOf(parameters: Parameters): string | undefined {
  for (const [name, value] of parameters) if (name.toLowerCase() === overrideName) return value
  return undefined
}

// [unconfirmed] The status for an unknown name.
function overriding(name: string): Method {
  const method = name.toUpperCase()
  if (isMethod(method)) return method
  throw new Refusal(400, 'Invalid X-HTTP-Method-Override: Method not allowed')
}

function isMethod(method: string): method is Method {
  return known.has(method)
}
