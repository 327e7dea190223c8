import { expect, test, vi } from 'vitest'
import { createWorkQueue } from './index.ts'
import { layoutOf } from './layout.ts'
import { Memory } from './memory.ts'
import { resolveSizes } from './options.ts'
import { adaptiveSpin, look } from './spin.ts'
import type { EventCount, Need } from './waiting.ts'

/** Something to wait for that becomes ready at one look, and how often it was looked at. */
function need(readyAt: number): Need & { looks: number } {
  // Nobody else spins.
  const events = { enterSpin: () => true, leaveSpin: () => undefined } as unknown as EventCount
  const waited = { events, looks: 0, ready: () => ++waited.looks >= readyAt }
  return waited
}

test('look() looks no more often than it is told', () => {
  const never = need(Infinity)
  expect(look(never, 7)).toBe(7)
  expect(never.looks).toBe(7)
  expect(look(need(3), 7)).toBe(2)
})

test('a spin that fails is bounded, and more and more waits after it go without', () => {
  const spin = adaptiveSpin()
  const never = need(Infinity)
  const looks = Array.from({ length: 2000 }, () => {
    never.looks = 0
    spin(never)
    return never.looks
  })
  const most = Math.max(...looks)
  expect(most).toBeLessThanOrEqual(500)
  const spins = looks.flatMap((count, at) => (count === most ? [at] : []))
  expect(spins[0]).toBe(0)
  const gaps = spins.slice(1).map((at, index) => at - (spins[index] ?? 0))
  expect(gaps).toEqual(gaps.toSorted((a, b) => a - b))
  // In the long run, one wait in 200.
  expect(spins.length).toBeLessThan(20)
})

test('what takes long to look at is not looked at more often than it says', () => {
  const spin = adaptiveSpin()
  for (const maxLooks of [3, 1]) {
    for (let i = 0; i < 10; i++) {
      const never = need(Infinity)
      const { events } = never
      expect(spin({ events, maxLooks, ready: () => never.ready() })).toBe(false)
      expect(never.looks).toBeLessThanOrEqual(maxLooks)
    }
    expect(spin({ events: need(1).events, maxLooks, ready: () => true })).toBe(true)
  }
})

test('a spin for blocks takes about as long in a large arena as in a small one', () => {
  for (const blockCount of [1, 256, 2 ** 18]) {
    const layout = layoutOf({ ...resolveSizes({ arenaBytes: 64, blockBytes: 64 }), blockCount })
    const words = new Int32Array(layout.blocks)
    // All of them are taken.
    words.fill(1, layout.blockOwners, layout.blockOwners + blockCount)
    const memory = new Memory(words, new Uint8Array(new SharedArrayBuffer(0)), layout, 0)
    const load = vi.spyOn(Atomics, 'load')
    let loads = 0
    load.mockImplementation((array, index) => {
      loads++
      return (array as unknown as Int32Array)[index] as never
    })
    expect(adaptiveSpin()(memory.blocksNeed(1))).toBe(false)
    load.mockRestore()
    // A look goes through all blocks, and two loads more.
    expect(loads).toBeLessThanOrEqual(Math.max(30_000, 2 * blockCount))
  }
})

test('a spin that succeeds is followed by the next', () => {
  const spin = adaptiveSpin()
  for (let i = 0; i < 100; i++) {
    const soon = need(100)
    const events = soon.events
    expect(spin({ events, ready: () => soon.ready() })).toBe(true)
  }
})

test('nobody is notified while nobody sleeps', async () => {
  const { notify } = Atomics
  let notified = 0
  Atomics.notify = ((...parameters: Parameters<typeof notify>) => {
    notified++
    return notify(...parameters)
  }) as typeof notify
  try {
    const queue = createWorkQueue({ capacity: 4 })
    for (let i = 0; i < 10; i++) {
      queue.tryEnqueue(Uint8Array.of(i))
      queue.tryDequeue()
    }
    expect(notified).toBe(0)
    const item = queue.dequeue()
    queue.tryEnqueue(Uint8Array.of(10))
    expect((await item)?.bytes[0]).toBe(10)
    expect(notified).toBe(1)
  } finally {
    Atomics.notify = notify
  }
})
