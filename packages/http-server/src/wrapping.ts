import type { HttpResponse, RawHeaders } from './message.ts'
import type { Parameters } from './parameters.ts'
import { Refusal } from './refusal.ts'
import { bareHeaders, jsonHeaders } from './response.ts'
import { TransformedBlocks } from './transformed-blocks.ts'

/** What a request wants done with the value that a read answers. */
export interface Wrapping {
  /** Name of the function that a script calls with the value. */
  readonly callback?: string
  /** Name of the file that a browser saves the value as. */
  readonly fileName?: string
}

// Beyond this nobody's function has a name, and nobody's file.
const maxNameLength = 255

/** @throws {Refusal} 400 for a `callback` that is no name of a function. */
export function parseWrapping(parameters: Parameters): Wrapping | undefined {
  const callback = parameters.get('callback')
  const fileName = parameters.get('download')
  if (callback === undefined && fileName === undefined) return undefined
  if (callback !== undefined && !isFunctionName(callback)) {
    throw new Refusal(
      400,
      'Invalid callback: It has to be the name of a function, of letters, digits, _, $ and dots',
    )
  }
  return {
    ...(callback === undefined ? {} : { callback }),
    ...(fileName === undefined ? {} : { fileName }),
  }
}

// [unconfirmed] Anything else could be a program, which the page would run.
function isFunctionName(name: string): boolean {
  return name.length <= maxNameLength && /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$/.test(name)
}

/** Wraps a success. An error stays as it is: a page learns of it by the status only. */
export function wrapped(response: HttpResponse, wrapping: Wrapping | undefined): HttpResponse {
  if (wrapping === undefined || response.status >= 300) return response
  const { callback, fileName } = wrapping
  const named =
    fileName === undefined
      ? response
      : { ...response, headers: [...response.headers, ...dispositionOf(fileName)] }
  return callback === undefined ? named : scriptOf(named, callback)
}

const scriptHeaders: RawHeaders = [
  'Content-Type',
  'application/javascript; charset=utf-8',
  // Else a browser may take the answer for what it is not.
  'X-Content-Type-Options',
  'nosniff',
  ...bareHeaders,
]

// [unconfirmed] The exact bytes. The comment in front keeps the first bytes, which the client chose, from
// being those of another kind of file: https://miki.it/blog/2014/7/8/abusing-jsonp-with-rosetta-flash/
function scriptOf({ status, headers, body }: HttpResponse, callback: string): HttpResponse {
  if (body === undefined) return { status, headers }
  const before = Buffer.from(`/**/${callback}(`)
  const after = Buffer.from(');')
  return {
    status,
    headers: [...scriptHeaders, ...headers.slice(jsonHeaders.length)],
    body:
      body instanceof Uint8Array
        ? Buffer.concat([before, body, after])
        : new TransformedBlocks(body, (blocks) => framed(before, blocks, after)),
  }
}

function* framed(
  before: Uint8Array,
  blocks: Iterable<Uint8Array>,
  after: Uint8Array,
): Generator<Uint8Array> {
  yield before
  yield* blocks
  yield after
}

/**
 * [unconfirmed] The quoting. A name beyond ASCII is given twice, for clients that know
 * https://www.rfc-editor.org/rfc/rfc6266#section-4.3 and for those that don't.
 */
function dispositionOf(given: string): RawHeaders {
  const name = given
    // What ends the quotes or the line, what parts folders, and halves of characters.
    // oxlint-disable-next-line no-control-regex -- control characters are what it takes out
    .replaceAll(/[\u0000-\u001f\u007f"\\/]/g, '')
    .toWellFormed()
    .slice(0, maxNameLength)
    .replace(/[\ud800-\udbff]$/, '')
  const plain = name.replaceAll(/[^\u0020-\u007e]/gu, '_')
  const value = `attachment; filename="${plain}"`
  return [
    'Content-Disposition',
    plain === name ? value : `${value}; filename*=UTF-8''${encodeExtended(name)}`,
  ]
}

// https://www.rfc-editor.org/rfc/rfc8187#section-3.2.1
function encodeExtended(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
