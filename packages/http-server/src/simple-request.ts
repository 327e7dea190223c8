import type { HttpRequest } from './message.ts'
import { methods } from './method.ts'

/** A request as most clients send it: in one piece, with nothing in its head that changes how HTTP works. */
export interface SimpleRequest {
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  readonly body: Uint8Array | undefined
}

// Of a longer one nobody wants to look at each byte twice.
const mostHeadBytes = 4096

const methodOf: ReadonlyMap<string, string> = new Map(methods.map((method) => [method, method]))

// In such requests a body has no meaning, and is for somebody else to reason about.
const bodyless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE'])

const version = ' HTTP/1.1'
const headEnd = '\r\n\r\n'
const target = /^\/[!-~]*$/
// Narrower than https://www.rfc-editor.org/rfc/rfc9110#section-5.5: no white space behind the value.
const field =
  /^([\w!#$%&'*+.^`|~-]+):[ \t]*((?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?)$/
const length = /^\d{1,7}$/

// Names that say how the message or the connection goes on, or that no object can hold like another.
const unusual: ReadonlySet<string> = new Set([
  '__proto__',
  'expect',
  'http2-settings',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

interface Fields {
  readonly headers: Readonly<Record<string, string>>
  readonly bodyLength: number
}

// Texts of fields that are known; a client has as many as there are lengths of its bodies.
const mostKnown = 128

/** Fields by their text, for all connections of a server: most of them are sent again and again. */
export class KnownFields {
  readonly #known = new Map<string, Fields | undefined>()

  of(text: string): Fields | undefined {
    let fields = this.#known.get(text)
    if (fields !== undefined || this.#known.has(text)) return fields
    if (this.#known.size === mostKnown) this.#known.clear()
    fields = parseFields(text)
    this.#known.set(text, fields)
    return fields
  }
}

/**
 * Reads the simple requests of one connection. Whatever is not exactly one of them, it leaves to a real
 * parser: what it takes, each parser takes, and for the same.
 */
export class SimpleRequestReader {
  /** Those of the last request, of which nearly all requests have the same. */
  #text = ''
  #fields: Fields | undefined
  readonly #known: KnownFields
  readonly #maxHeadBytes: number

  constructor(known: KnownFields, maxHeadBytes: number) {
    this.#known = known
    this.#maxHeadBytes = Math.min(maxHeadBytes, mostHeadBytes)
  }

  /** @returns `undefined` unless the bytes are one simple request, no more and no less. */
  read(bytes: Buffer): SimpleRequest | undefined {
    const text = bytes.toString('latin1', 0, Math.min(bytes.length, this.#maxHeadBytes))
    const end = text.indexOf(headEnd)
    if (end === -1) return undefined
    const lineEnd = text.indexOf('\r\n')
    const urlEnd = lineEnd - version.length
    const space = text.indexOf(' ')
    const method = methodOf.get(text.slice(0, space))
    if (method === undefined || !text.startsWith(version, urlEnd)) return undefined
    const url = text.slice(space + 1, urlEnd)
    const fields = this.#fieldsOf(text.slice(lineEnd, end))
    if (fields === undefined || !target.test(url)) return undefined
    const { headers, bodyLength } = fields
    const bodyStart = end + headEnd.length
    if (bytes.length !== bodyStart + bodyLength) return undefined
    if (bodyLength === 0) return { method, url, headers, body: undefined }
    if (bodyless.has(method)) return undefined
    return { method, url, headers, body: bytes.subarray(bodyStart) }
  }

  #fieldsOf(text: string): Fields | undefined {
    if (text !== this.#text) {
      this.#text = text
      this.#fields = this.#known.of(text)
    }
    return this.#fields
  }
}

/** @param text Lines, each with its break before it. */
function parseFields(text: string): Fields | undefined {
  const headers: Record<string, string> = {}
  for (const line of text.split('\r\n').slice(1)) {
    const [, given, value] = field.exec(line) ?? []
    if (given === undefined || value === undefined) return undefined
    const name = given.toLowerCase()
    // Which of two counts, or how they are joined, depends on the name.
    if (unusual.has(name) || Object.hasOwn(headers, name)) return undefined
    headers[name] = value
  }
  const { host, connection = 'keep-alive', 'content-length': bodyLength = '0' } = headers
  if (host === undefined || connection.toLowerCase() !== 'keep-alive') return undefined
  return length.test(bodyLength) ? { headers, bodyLength: Number(bodyLength) } : undefined
}
