import { answerHead } from './answer-head.ts'
import type { HttpResponse } from './message.ts'

/** The bytes of the last answer on a connection, for a client of which no request could be read. */
export function rawResponse({ status, headers, body }: HttpResponse): Uint8Array {
  const bytes = body instanceof Uint8Array ? body : Buffer.of()
  const head = answerHead({ status, headers, length: bytes.length, keepAliveMs: 0 })
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes])
}
