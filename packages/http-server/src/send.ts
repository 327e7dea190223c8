import { setImmediate } from 'node:timers/promises'
import { lingerMs } from './connection.ts'
import type { Exchange } from './exchange.ts'
import type { Answer } from './message.ts'
import { announcesBody } from './request-body.ts'
import { maxParsedBytes } from './plan.ts'

// How long blocks may be read and written before other connections get a turn.
const sliceMs = 2

// Node writes head and body of an answer in one piece when the body is a string, and in two when it
// is bytes. For small bodies the detour over a string costs less than the second piece.
const maxStringBytes = 4096

/**
 * Sends an answer, unless one was sent or the client has gone. A body in blocks is taken no faster
 * than the client takes it, and ended in every case.
 * @throws what the blocks throw, when a part of the answer may have left.
 */
export function send(exchange: Exchange, answer: Answer): void | Promise<void> {
  const { body } = answer
  if (exchange.connection.isGone || exchange.response.headersSent) {
    if (isBlocks(body)) void iteratorOf(body).return?.()
    return
  }
  if (isBlocks(body)) return sendBlocks(exchange, answer, body)
  sendWhole(exchange, answer, body)
}

type Blocks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>
type BlocksIterator = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

function isBlocks(body: Answer['body']): body is Blocks {
  return body !== undefined && !(body instanceof Uint8Array)
}

function iteratorOf(blocks: Blocks): BlocksIterator {
  return Symbol.iterator in blocks ? blocks[Symbol.iterator]() : blocks[Symbol.asyncIterator]()
}

function sendWhole(exchange: Exchange, answer: Answer, body: Uint8Array | undefined): void {
  const { response } = exchange
  const lingers = announcesBody(exchange.message) && !willBeRead(exchange)
  if (lingers) response.shouldKeepAlive = false
  if (body === undefined) {
    // Neither 204 nor 304 says a length, and nothing else comes without a body.
    response.writeHead(answer.status, answer.headers as string[])
  } else {
    response.writeHead(answer.status, [...answer.headers, 'Content-Length', String(body.length)])
  }
  if (lingers) linger(exchange, body)
  else if (body === undefined) response.end()
  else if (body.length > maxStringBytes) response.end(body)
  else response.end(latin1(body), 'latin1')
}

function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}

/** Whether what is left of the body, if anything, is so little that it can be skipped. */
function willBeRead({ message, body, connection }: Exchange): boolean {
  if (message.complete || connection.socket.readableEnded) return true
  const left = Number(message.headers['content-length']) - (body?.receivedBytes ?? 0)
  // Not a number for a body in chunks, which may go on for ever.
  if (!(left <= maxParsedBytes)) return false
  message.resume()
  return true
}

// To close while the client still sends would reset the connection, and the client might never see
// the answer. So the answer leaves complete, and the connection ends when the client has.
function linger({ message, response, connection }: Exchange, body: Uint8Array | undefined): void {
  if (body !== undefined) response.write(body)
  const end = (): void => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, lingerMs)
  connection.onGone(end)
  connection.socket.once('end', end)
  message.once('end', end)
  message.resume()
}

async function sendBlocks(exchange: Exchange, answer: Answer, blocks: Blocks): Promise<void> {
  const { connection, message, response } = exchange
  const iterator = iteratorOf(blocks)
  try {
    if (announcesBody(message) && !willBeRead(exchange)) response.shouldKeepAlive = false
    response.writeHead(answer.status, answer.headers as string[])
    if (message.method !== 'HEAD') await writeBlocks(exchange, iterator)
    if (!connection.isGone) response.end()
  } finally {
    await iterator.return?.()
  }
}

async function writeBlocks(exchange: Exchange, blocks: BlocksIterator): Promise<void> {
  const { connection, response } = exchange
  let sliceEnd = performance.now() + sliceMs
  for (;;) {
    const taken = blocks.next()
    const next = taken instanceof Promise ? await taken : taken
    if (next.done === true) return
    if (!response.write(next.value)) await connection.drained(response)
    if (connection.isGone) return
    // What a fast client takes at once drains without a turn of the event loop.
    if (performance.now() < sliceEnd) continue
    await setImmediate()
    sliceEnd = performance.now() + sliceMs
  }
}
