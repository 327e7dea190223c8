import type { RawHeaders } from './message.ts'
import { http } from './node-modules.ts'
import { sharedHeaders } from './response.ts'

const { STATUS_CODES, validateHeaderName, validateHeaderValue } = http

/** The head of an answer, as Node's HTTP server writes it. */
export interface AnswerHead {
  readonly status: number
  readonly headers: RawHeaders
  /** Of the body, in bytes; `undefined` where nothing is said of it. */
  readonly length: number | undefined
  /** How long the connection stays open for the next request, in milliseconds; 0: it closes. */
  readonly keepAliveMs: number
}

/** @throws {TypeError} for a header field that could not be sent. */
export function answerHead({ status, headers, length, keepAliveMs }: AnswerHead): string {
  const lines = sharedLines.get(headers) ?? linesOf(headers)
  const framing = length === undefined ? '' : `Content-Length: ${length}\r\n`
  const connection =
    keepAliveMs === 0
      ? 'Connection: close'
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}`
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${lines}${framing}Date: ${date()}\r\n${connection}\r\n\r\n`
}

function linesOf(headers: RawHeaders): string {
  let lines = ''
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!
    const value = headers[index + 1]!
    validateHeaderName(name)
    validateHeaderValue(name, value)
    lines += `${name}: ${value}\r\n`
  }
  return lines
}

// Those of nearly all answers.
const sharedLines: ReadonlyMap<RawHeaders, string> = new Map(
  sharedHeaders.map((headers) => [headers, linesOf(headers)]),
)

let dateSecond = 0
let dateText = ''

// Made once a second.
function date(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}
