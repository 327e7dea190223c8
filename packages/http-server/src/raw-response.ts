import type { HttpResponse } from './message.ts'
import { http } from './node-modules.ts'

/** The bytes of the last answer on a connection, for a client of which no request could be read. */
export function rawResponse({ status, headers, body }: HttpResponse): Uint8Array {
  const bytes = body instanceof Uint8Array ? body : Buffer.of()
  const lines = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`]
  for (let index = 0; index < headers.length; index += 2) {
    lines.push(`${headers[index]}: ${headers[index + 1]}`)
  }
  lines.push(
    `Content-Length: ${bytes.length}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
  )
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes])
}
