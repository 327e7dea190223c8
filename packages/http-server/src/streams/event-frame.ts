// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

/** What a block of an event stream may say. */
export interface EventFields {
  readonly event?: string | undefined
  /** Any text: of several lines each becomes a field, and the client joins them again. */
  readonly data?: string | undefined
  readonly id?: string | undefined
  /** How long the client waits before it connects again, in milliseconds. */
  readonly retry?: number | undefined
  /** For people, and for proxies that close silent connections. */
  readonly comment?: string | undefined
}

const lineEnd = /\r\n|[\r\n]/

/** What stands between the data of an event and its id. */
export const beforeEventId = '\nid: '

/** What stands before and after a whole value in the data of its `put`. */
export const wholeBefore: Buffer = Buffer.from('{"path":"/","data":')
export const wholeAfter: Buffer = Buffer.from('}')

/** What ends a block. */
export const blockEnd = '\n\n'

/**
 * A block of an event stream, up to and with the blank line that dispatches it. No text can get out of
 * its field: where a field is one line, the line breaks of its text are left out, and an id with a NUL,
 * which clients ignore, loses that.
 */
export function eventBlock({ comment, event, data, id, retry }: EventFields): string {
  let block = ''
  if (comment !== undefined) block += linesOf(':', comment)
  if (event !== undefined) block += `event: ${event.replaceAll(/[\r\n]/g, '')}\n`
  if (data !== undefined) block += linesOf('data:', data)
  if (id !== undefined) block += `id: ${id.replaceAll(/[\r\n\0]/g, '')}\n`
  if (retry !== undefined) block += `retry: ${Math.max(0, Math.trunc(retry))}\n`
  return `${block}\n`
}

function linesOf(field: string, text: string): string {
  return text
    .split(lineEnd)
    .map((line) => `${field} ${line}\n`)
    .join('')
}

/**
 * An event whose data is JSON text, which has no line breaks: inside strings they are escaped, and
 * between values the texts of this server have no white space.
 */
export function jsonEvent(
  name: string | undefined,
  json: readonly Uint8Array[],
  id: string | undefined,
): Buffer {
  const { before, after } = jsonEventFrame(name, id)
  return Buffer.concat([before, ...json, after])
}

/** The same as text, for events that are joined before they become bytes. */
export function jsonEventText(name: string, json: string, id: string): string {
  return `event: ${name}\ndata: ${json}${beforeEventId}${id}${blockEnd}`
}

/** The bytes before and after the JSON text of an event. */
export function jsonEventFrame(
  name: string | undefined,
  id: string | undefined,
): { readonly before: Buffer; readonly after: Buffer } {
  return {
    before: Buffer.from(name === undefined ? 'data: ' : `event: ${name}\ndata: `),
    after: Buffer.from(id === undefined ? blockEnd : `${beforeEventId}${id}${blockEnd}`),
  }
}
