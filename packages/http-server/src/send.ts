import type { Exchange } from './exchange.ts'
import type { Answer } from './message.ts'
import { TimeSlice } from './time-slice.ts'

// How long blocks may be read and written before other connections get a turn.
const sliceMs = 2

/**
 * Sends an answer, unless one was sent or the client has gone. A body in blocks is taken no faster
 * than the client takes it, and ended in every case.
 * @throws what the blocks throw, when a part of the answer may have left.
 */
export function send(exchange: Exchange, answer: Answer): void | Promise<void> {
  const { body } = answer
  if (exchange.isGone || exchange.isAnswered) {
    giveUpAnswer(answer)
    return
  }
  if (answer.stream !== undefined) {
    const stream = exchange.openStream(answer.status, answer.headers)
    answer.stream(stream, (listener) => exchange.onGone(listener))
    return
  }
  if (isBlocks(body)) return sendBlocks(exchange, answer, body)
  exchange.sendWhole(answer, body)
}

/** Says that an answer will not be sent. */
export function giveUpAnswer({ body }: Answer): void {
  if (isBlocks(body)) void iteratorOf(body).return?.()
}

export function isBlocks(
  body: Answer['body'],
): body is Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return body !== undefined && !(body instanceof Uint8Array)
}

function iteratorOf(
  blocks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Iterator<Uint8Array> | AsyncIterator<Uint8Array> {
  return Symbol.iterator in blocks ? blocks[Symbol.iterator]() : blocks[Symbol.asyncIterator]()
}

function sendBlocks(
  exchange: Exchange,
  answer: Answer,
  blocks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  if (Symbol.iterator in blocks) {
    const own = blocks[Symbol.iterator]()
    return sendBody(exchange, answer, own, () => writeBlocks(exchange, own))
  }
  const lent = blocks[Symbol.asyncIterator]()
  return sendBody(exchange, answer, lent, () => writeLent(exchange, lent))
}

async function sendBody(
  exchange: Exchange,
  answer: Answer,
  blocks: Iterator<Uint8Array> | AsyncIterator<Uint8Array>,
  write: () => Promise<void>,
): Promise<void> {
  // Also while the next block is waited for: who reads it is told at once that nobody wants it.
  const giveUp = (): void => void blocks.return?.()
  exchange.onGone(giveUp)
  const deadline = breakOffAt(exchange, answer.deadline)
  try {
    exchange.sendHead(answer)
    if (exchange.method !== 'HEAD') await write()
    if (!exchange.isGone) exchange.end()
  } finally {
    clearTimeout(deadline)
    exchange.offGone(giveUp)
    await blocks.return?.()
  }
}

function breakOffAt(exchange: Exchange, deadline: number | undefined): NodeJS.Timeout | undefined {
  if (deadline === undefined) return undefined
  return setTimeout(() => exchange.breakOff(), Math.max(0, deadline - performance.now()))
}

async function writeBlocks(exchange: Exchange, blocks: Iterator<Uint8Array>): Promise<void> {
  const slice = new TimeSlice(sliceMs)
  for (let next = blocks.next(); next.done !== true; next = blocks.next()) {
    if (!exchange.write(next.value)) await exchange.drained()
    if (exchange.isGone) return
    // What a fast client takes at once drains without a turn of the event loop.
    await slice.rest()
  }
}

/** Blocks from another thread: they come at their own pace, and their bytes hold until the next one is asked for. */
async function writeLent(exchange: Exchange, blocks: AsyncIterator<Uint8Array>): Promise<void> {
  for (;;) {
    const next = await blocks.next()
    if (next.done === true) return
    await exchange.writeThrough(next.value)
    if (exchange.isGone) return
  }
}
