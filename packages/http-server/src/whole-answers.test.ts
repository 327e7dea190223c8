import { expect, test } from 'vitest'
import { WholeAnswers } from './whole-answers.ts'

const part = 64 * 1024

interface Read {
  readonly id: number
}

class Connection {
  readonly begun: Read[] = []
  readonly whole: WholeAnswers<Read>
  readonly reads: readonly Read[] = Array.from({ length: 200 }, (_, id) => ({ id }))

  constructor() {
    this.whole = new WholeAnswers((read) => void this.begun.push(read))
    for (const read of this.reads) this.whole.add(read)
  }

  /** Gives so many bytes as the answer to a read. */
  answer(read: Read, bytes: number): void {
    this.whole.sending(bytes)
    this.whole.answered(read)
  }
}

test('WholeAnswers begins as many reads as there is room for answers', () => {
  const { begun, reads } = new Connection()
  expect(begun).toEqual(reads.slice(0, 64))
})

test('WholeAnswers begins others in turn when answers are smaller, and when they leave', () => {
  const connection = new Connection()
  const { begun, reads, whole } = connection
  connection.answer(reads[5]!, part)
  expect(begun).toHaveLength(64)
  connection.answer(reads[6]!, 0)
  expect(begun).toHaveLength(65)
  for (const read of reads.slice(10, 20)) connection.answer(read, part / 2)
  expect(begun).toHaveLength(70)
  whole.left(part)
  expect(begun).toEqual(reads.slice(0, 71))
})

test('WholeAnswers begins as many reads where each is answered at once', () => {
  const begun: Read[] = []
  const whole = new WholeAnswers<Read>((read) => {
    begun.push(read)
    whole.sending(part / 2)
    whole.answered(read)
  })
  const { reads } = new Connection()
  for (const read of reads) whole.add(read)
  expect(begun).toEqual(reads.slice(0, 128))
})

test('WholeAnswers forgets reads whose clients have gone', () => {
  const { begun, reads, whole } = new Connection()
  whole.delete(reads[64]!)
  expect(begun).toHaveLength(64)
  whole.delete(reads[0]!)
  whole.delete(reads[0]!)
  expect(begun).toEqual([...reads.slice(0, 64), reads[65]])
})
