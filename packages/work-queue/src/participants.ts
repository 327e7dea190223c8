// The cells of the participants: who has which number, and their totals.
import { CELL, cellAt, wordAt } from './layout.ts'
import type { Layout } from './layout.ts'
import type { ParticipantInfo } from './work-queue.ts'

/**
 * Takes a free number for a thread. The exchange makes it its own and says whose it is in one step, so that a
 * thread that dies here is known.
 * @returns -1 if there is none
 */
export function join(words: Int32Array, layout: Layout, threadId: number): number {
  for (let participant = 0; participant < layout.maxParticipants; participant++) {
    const owner = cellAt(layout, participant) + CELL.OWNER
    if (Atomics.compareExchange(words, owner, 0, threadId + 1) === 0) return participant
  }
  return -1
}

/** Gives a number back. Its participant has nothing left. */
export function leave(words: Int32Array, layout: Layout, participant: number): void {
  const cell = cellAt(layout, participant)
  words[cell + CELL.ENQUEUE_COUNT] = 0
  words[cell + CELL.DEQUEUE_COUNT] = 0
  words[cell + CELL.IN_HAND] = 0
  Atomics.store(words, cell + CELL.OWNER, 0)
}

/** Who is attached, those excluded that are being reaped. */
export function listParticipants(words: Int32Array, layout: Layout): ParticipantInfo[] {
  const list: ParticipantInfo[] = []
  for (let participant = 0; participant < layout.maxParticipants; participant++) {
    const owner = Atomics.load(words, cellAt(layout, participant) + CELL.OWNER)
    if (owner > 0) list.push({ participant, threadId: owner - 1 })
  }
  return list
}

/** The numbers that a thread has, those included that are being reaped. */
export function numbersOf(words: Int32Array, layout: Layout, threadId: number): number[] {
  const numbers: number[] = []
  for (let participant = 0; participant < layout.maxParticipants; participant++) {
    const owner = Atomics.load(words, cellAt(layout, participant) + CELL.OWNER)
    if (Math.abs(owner) === threadId + 1) numbers.push(participant)
  }
  return numbers
}

/** Adds to one of a participant's own totals. Only its thread writes there. */
export function addToTotal(words: Int32Array, total: number, count: number): void {
  const low = wordAt(words, total) >>> 0
  const sum = low + count
  words[total] = sum | 0
  if (sum > 0xffffffff) words[total + 1] = wordAt(words, total + 1) + 1
}

/** The sum of a total over all cells. */
export function sumTotals(words: Int32Array, layout: Layout, total: number): number {
  let sum = 0
  for (let participant = 0; participant < layout.maxParticipants; participant++) {
    const at = cellAt(layout, participant) + total
    sum += (wordAt(words, at) >>> 0) + wordAt(words, at + 1) * 2 ** 32
  }
  return sum
}
