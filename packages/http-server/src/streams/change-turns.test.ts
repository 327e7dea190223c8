import { setImmediate } from 'node:timers/promises'
import type { Change } from '@elkyn/tree'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ChangeTurns } from './change-turns.ts'

function change(sequence: number): Change {
  return { sequence, id: `e-${sequence}-m`, time: 0, pairs: [] }
}

/** Each step takes a tenth of a millisecond; every change has so many. */
function started(steps: number) {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => clock.mockRestore())
  const told: number[] = []
  const turns = new ChangeTurns(function* ({ sequence }) {
    for (let step = 0; step < steps; step++) {
      now += 0.1
      told.push(sequence)
      yield 1
    }
  })
  return { turns, told }
}

test('ChangeTurns tells at once of what takes no longer than a turn', () => {
  const { turns, told } = started(2)
  turns.add([change(1), change(2)])
  expect(told).toEqual([1, 1, 2, 2])
  expect(turns.newest).toBe(undefined)
})

test('ChangeTurns goes on in the next turn, and keeps the order', async () => {
  const { turns, told } = started(20)
  turns.add([change(1)])
  expect(told.length).toBe(16)
  turns.add([change(2)])
  expect([told.length, turns.newest?.sequence]).toEqual([16, 2])
  const seen: number[] = []
  while (turns.newest !== undefined) {
    await setImmediate()
    seen.push(told.length)
  }
  expect(seen.length).toBeGreaterThan(1)
  expect(told).toEqual([...Array<number>(20).fill(1), ...Array<number>(20).fill(2)])
})

test('ChangeTurns takes longer turns where changes come faster than they are told', async () => {
  const { turns, told } = started(10)
  let last = 0
  for (let turn = 0; turn < 200; turn++) {
    turns.add([change(++last), change(++last), change(++last)])
    await setImmediate()
  }
  // With turns of one length more would wait each time.
  expect(last - told.at(-1)!).toBeLessThan(100)
})

test('ChangeTurns tells nothing of what was cleared', async () => {
  const { turns, told } = started(20)
  turns.add([change(1), change(2)])
  turns.clear()
  await setImmediate()
  expect([told.length, turns.newest]).toEqual([16, undefined])
  turns.add([change(3)])
  await setImmediate()
  expect(told.slice(16)).toEqual(Array(20).fill(3))
})
