import { setImmediate } from 'node:timers/promises'
import type { Exchange } from './exchange.ts'
import type { Answer } from './message.ts'

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
    if (isBlocks(body)) void iteratorOf(body).return?.()
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

type Blocks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>
type BlocksIterator = Iterator<Uint8Array> | AsyncIterator<Uint8Array>

function isBlocks(body: Answer['body']): body is Blocks {
  return body !== undefined && !(body instanceof Uint8Array)
}

function iteratorOf(blocks: Blocks): BlocksIterator {
  return Symbol.iterator in blocks ? blocks[Symbol.iterator]() : blocks[Symbol.asyncIterator]()
}

async function sendBlocks(exchange: Exchange, answer: Answer, blocks: Blocks): Promise<void> {
  const iterator = iteratorOf(blocks)
  // Also while the next block is waited for: who reads it is told at once that nobody wants it.
  const giveUp = (): void => void iterator.return?.()
  exchange.onGone(giveUp)
  const deadline = breakOffAt(exchange, answer.deadline)
  try {
    exchange.sendHead(answer)
    if (exchange.method !== 'HEAD') await writeBlocks(exchange, iterator)
    if (!exchange.isGone) exchange.end()
  } finally {
    clearTimeout(deadline)
    exchange.offGone(giveUp)
    await iterator.return?.()
  }
}

function breakOffAt(exchange: Exchange, deadline: number | undefined): NodeJS.Timeout | undefined {
  if (deadline === undefined) return undefined
  return setTimeout(() => exchange.breakOff(), Math.max(0, deadline - performance.now()))
}

async function writeBlocks(exchange: Exchange, blocks: BlocksIterator): Promise<void> {
  let sliceEnd = performance.now() + sliceMs
  for (;;) {
    const taken = blocks.next()
    const next = taken instanceof Promise ? await taken : taken
    if (next.done === true) return
    if (!exchange.write(next.value)) await exchange.drained()
    if (exchange.isGone) return
    // What a fast client takes at once drains without a turn of the event loop.
    if (performance.now() < sliceEnd) continue
    await setImmediate()
    sliceEnd = performance.now() + sliceMs
  }
}
