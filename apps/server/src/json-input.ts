import { accessSync, closeSync, constants, createReadStream, openSync, statSync } from 'node:fs'
import type { ReadStream } from 'node:fs'
import process from 'node:process'
import { addAbortSignal } from 'node:stream'
import { CommandError, systemErrorCode } from './command-error.ts'
import { fileReason } from './file-reason.ts'
import { isJson } from './is-json.ts'
import { shellWord } from './shell-word.ts'
import type { JsonBody } from './transport.ts'

/** How the commands describe their JSON argument. */
export const jsonArgument = 'JSON text, @FILE for a file, or - for standard input'

/**
 * The JSON that an argument stands for: itself, or what a file or standard input holds.
 * @throws {CommandError} when the argument is meant as JSON and is not, or the file cannot be read.
 */
export function openJsonArgument(argument: string): JsonBody {
  if (argument === '-') return readInput('-')
  if (argument.startsWith('@')) {
    const file = argument.slice(1)
    checkInput(file)
    return readInput(file)
  }
  if (!isJson(argument)) {
    throw new CommandError('usage', `Not JSON: ${argument}`, { hint: wayOut(argument) })
  }
  return new TextEncoder().encode(argument)
}

/**
 * The same for an update. Over HTTP an update that is `null` deletes the whole place, and `null` is what programs print for
 * what they have not found.
 * @throws {CommandError} for `null`, as soon as that is seen: from a file or standard input, by the body.
 */
export function openUpdateArgument(argument: string): JsonBody {
  const body = openJsonArgument(argument)
  if (!(body instanceof Uint8Array)) return withoutNull(body)
  refuseNull(body)
  return body
}

async function* withoutNull(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isBegun = false
  for await (const block of body) {
    isBegun ||= refuseNull(block)
    yield block
  }
}

/** No other JSON begins with this letter. @returns whether it has begun. */
function refuseNull(block: Uint8Array): boolean {
  const first = block.find((byte) => !whiteSpace.has(byte))
  if (first !== 0x6e) return first !== undefined
  throw new CommandError('failed', 'Cannot update: null is no object', {
    hint: 'To delete what is there, use "elkyn delete".',
  })
}

const whiteSpace: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'))

/**
 * Reads a file, or standard input for `-`, until its end or until the signal aborts.
 * @throws {CommandError} when the file cannot be read.
 */
export async function* readInput(
  file: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted()
  const stream =
    file === '-' ? process.stdin : createReadStream(file, { highWaterMark: blockBytes })
  if (signal !== undefined) {
    addAbortSignal(signal, stream)
    signal.addEventListener('abort', () => releaseOpening(file, stream), { once: true })
  }
  try {
    yield* stream
  } catch (error) {
    throw readError(file, error)
  }
}

const blockBytes = 256 * 1024

/**
 * Lets the opening of a pipe that has no writer return: the system waits for one, and until then the
 * stream could not close, nor the process end.
 */
function releaseOpening(file: string, stream: ReadStream | typeof process.stdin): void {
  if (stream.closed || !('pending' in stream) || !stream.pending || !isPipe(file)) return
  try {
    closeSync(openSync(file, constants.O_WRONLY | constants.O_NONBLOCK))
  } catch {
    // Nobody waits at it yet: another thread is about to.
    setTimeout(releaseOpening, 10, file, stream)
  }
}

function isPipe(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFIFO() === true
}

/**
 * Looks at a file that is to be read, or at standard input for `-`, before anything is made for what it holds.
 * @returns its number of bytes; `undefined` for what has no size, such as a pipe.
 * @throws {CommandError} when the file cannot be read.
 */
export function checkInput(file: string): number | undefined {
  if (file === '-') return undefined
  try {
    accessSync(file, constants.R_OK)
    const stats = statSync(file)
    if (stats.isDirectory()) throw cannotRead(file, 'EISDIR')
    return stats.isFile() ? stats.size : undefined
  } catch (error) {
    throw readError(file, error)
  }
}

/** The error to show when a file cannot be read; anything else is returned as it is. */
function readError(file: string, error: unknown): unknown {
  const code = systemErrorCode(error)
  return code === undefined ? error : cannotRead(file, code, error)
}

function cannotRead(file: string, code: string, cause?: unknown): CommandError {
  const reason = fileReason(code, 'read')
  return new CommandError('failed', `Cannot read ${file}: ${reason}`, { cause })
}

function wayOut(argument: string): string {
  return /^[[{"]/.test(argument.trim())
    ? 'Put the JSON in single quotes, so that the shell leaves it alone.'
    : `A string needs its quotes: ${shellWord(JSON.stringify(argument))}`
}
