import { createHash } from 'node:crypto'
import type { HttpRequestHead } from './message.ts'
import { isSafe } from './method.ts'
import type { Method } from './method.ts'
import { Refusal } from './refusal.ts'

/** Which of the writes of a client a request is. */
export interface NumberedRequest {
  readonly client: string
  readonly number: number
}

/**
 * Reads `Idempotency-Key: <client>-<number>`, with or without quotes. On a request that only reads it
 * means nothing.
 * @throws {Refusal} 400 for another form: to ignore it could apply a write twice.
 */
export function parseIdempotencyKey(
  method: Method,
  headers: HttpRequestHead['headers'],
): NumberedRequest | undefined {
  const header = headers['idempotency-key']
  if (header === undefined || isSafe(method)) return undefined
  const [, , client, number] = form.exec(String(header)) ?? []
  if (client !== undefined && Number.isSafeInteger(Number(number))) {
    return { client, number: Number(number) }
  }
  throw new Refusal(
    400,
    'Invalid Idempotency-Key: It has to be the name of a client, a hyphen and a number, such as till7-1',
  )
}

const form = /^("?)([\w.~-]{1,128})-([1-9]\d{0,15})\1$/

// Half of the digest is more than enough to tell the requests of one client apart.
const fingerprintLength = 22

/** Tells a request from others, by what it asks for and the digest of its body. */
export function fingerprintOf(parts: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts))
  return hash.digest('base64url').slice(0, fingerprintLength)
}
