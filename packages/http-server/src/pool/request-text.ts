import { decisiveHeaders } from '../message.ts'
import type { DecisiveHeaders, HttpRequestHead } from '../message.ts'
import type { PlanSettings } from '../plan-settings.ts'

/** Names of headers that another thread is told. */
export type ForwardedHeaders = ReadonlySet<string>

/** Those that decide about an answer under these settings. */
export function forwardedHeaders(settings: PlanSettings): ForwardedHeaders {
  const names = new Set<keyof DecisiveHeaders>(decisiveHeaders)
  if (settings.namespaces !== undefined) names.add('host')
  if (settings.compressFromBytes !== Infinity) names.add('accept-encoding')
  return names
}

/**
 * The head of a request as text for another thread: method and URL, then a line for each header that
 * decides about the answer. None of them can hold a line break, because the parser refuses it.
 */
export function requestText(
  { method, url, headers }: HttpRequestHead,
  names: ForwardedHeaders,
): string {
  let text = `${method} ${url}`
  for (const name in headers) {
    if (!names.has(name)) continue
    const value = headers[name as keyof DecisiveHeaders]
    if (value !== undefined) text += `\n${name}:${String(value)}`
  }
  return text
}

/** Reads what {@link requestText} has written. */
export function parseRequestText(text: string): HttpRequestHead {
  const lineEnd = text.indexOf('\n')
  const line = lineEnd === -1 ? text : text.slice(0, lineEnd)
  const space = line.indexOf(' ')
  return {
    method: line.slice(0, space),
    url: line.slice(space + 1),
    headers: lineEnd === -1 ? noHeaders : parseHeaders(text.slice(lineEnd + 1)),
  }
}

const noHeaders: DecisiveHeaders = {}

function parseHeaders(text: string): DecisiveHeaders {
  const headers: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon)] = line.slice(colon + 1)
  }
  return headers
}

/** A request with its body in one piece of bytes. */
export function requestBytes(head: string, body: Uint8Array | undefined): Uint8Array {
  const headLength = Buffer.byteLength(head, 'latin1')
  const bodyLength = body?.length ?? 0
  const bytes = Buffer.allocUnsafe(prefixBytes + headLength + bodyLength)
  bytes[0] = body === undefined ? 0 : 1
  bytes.writeUInt32LE(headLength, 1)
  bytes.write(head, prefixBytes, 'latin1')
  if (body !== undefined) bytes.set(body, prefixBytes + headLength)
  return bytes
}

const prefixBytes = 5

/** Reads what {@link requestBytes} has written. */
export function parseRequestBytes(bytes: Uint8Array): {
  readonly head: HttpRequestHead
  readonly body: Uint8Array | undefined
} {
  const memory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headEnd = prefixBytes + memory.readUInt32LE(1)
  return {
    head: parseRequestText(memory.toString('latin1', prefixBytes, headEnd)),
    body: memory[0] === 0 ? undefined : memory.subarray(headEnd),
  }
}

const ticketBytes = 4

/**
 * A piece of a body that goes on under a number.
 * @param memory Used for it where it has room.
 */
export function pieceBytes(ticket: number, piece: Uint8Array, memory?: Buffer): Uint8Array {
  const length = ticketBytes + piece.length
  const bytes =
    memory !== undefined && length <= memory.length
      ? memory.subarray(0, length)
      : Buffer.allocUnsafe(length)
  bytes.writeUInt32LE(ticket)
  bytes.set(piece, ticketBytes)
  return bytes
}

/** Reads what {@link pieceBytes} has written. */
export function parsePieceBytes(bytes: Uint8Array): {
  readonly ticket: number
  readonly piece: Uint8Array
} {
  const memory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { ticket: memory.readUInt32LE(0), piece: memory.subarray(ticketBytes) }
}
