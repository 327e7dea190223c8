import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LargePace } from './large-pace.ts'

const long = 2 ** 30

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Asks for turns one after the other, and notes which it had. */
async function takeTurns(
  pace: LargePace,
  name: string,
  sentBytes: number,
  log: string[],
): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    await pace.turn(sentBytes)
    log.push(name)
  }
}

test('LargePace gives one of all answers a turn in each turn of the event loop, in order', async () => {
  const log: string[] = []
  const pace = new LargePace(() => Date.now())
  for (const name of ['a', 'b', 'c']) void takeTurns(pace, name, long, log)
  for (let turn = 0; turn <= 6; turn++) {
    await setImmediate()
    // The turn of the loop in which they were begun may or may not be over by then.
    expect(log.length).toBeLessThanOrEqual(turn + 2)
  }
  expect(log.slice(0, 6)).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
})

test('LargePace lets long answers rest between two turns while there are small ones', async () => {
  const log: string[] = []
  const pace = new LargePace(() => Date.now())
  pace.noteSmall()
  void takeTurns(pace, 'a', long, log)
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  expect(log).toEqual(['a'])
  vi.advanceTimersByTime(1)
  await setImmediate()
  expect(log).toEqual(['a', 'a'])
})

test('LargePace lets the beginning of an answer go on at once', async () => {
  const log: string[] = []
  const pace = new LargePace(() => Date.now())
  pace.noteSmall()
  void takeTurns(pace, 'a', 1024, log)
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  expect(log.length).toBeGreaterThan(3)
})

test('LargePace forgets small answers that came long ago', async () => {
  const log: string[] = []
  const pace = new LargePace(() => Date.now())
  pace.noteSmall()
  void takeTurns(pace, 'a', long, log)
  vi.advanceTimersByTime(200)
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  expect(log.length).toBeGreaterThan(3)
})
