import type { HttpResponse } from './message.ts'
import { jsonResponse } from './response.ts'

/** How a server is: only one that is `ok` answers requests. */
export type Health = 'ok' | 'starting' | 'stopping' | 'failed'

/** What is told to those that send requests where they are answered. */
export function healthResponse(health: Health): HttpResponse {
  return jsonResponse(health === 'ok' ? 200 : 503, JSON.stringify({ status: health }))
}
