import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { Dispatcher } from './dispatcher.ts'
import { Fifo } from './fifo.ts'
import { FreeSlots } from './free-slots.ts'
import { Histogram } from './histogram.ts'
import { resolveOptions } from './options.ts'
import { noOptions, taskFields } from './task-fields.ts'
import { Task } from './task.ts'

test('Deadlines gives what is due in the order of time', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.nat(60), (times, now) => {
      const deadlines = new Deadlines<number>()
      for (const time of times) deadlines.add(time, time)
      const due: number[] = []
      for (let item = deadlines.due(now); item !== undefined; item = deadlines.due(now)) {
        due.push(item)
      }
      expect(due).toEqual(times.filter((time) => time <= now).toSorted((a, b) => a - b))
      expect(deadlines.size).toBe(times.length - due.length)
    }),
  )
})

test('Deadlines forgets what is not needed and keeps the order', () => {
  const deadlines = new Deadlines<number>()
  for (const time of [5, 3, 9, 1, 7]) deadlines.add(time, time)
  deadlines.prune((item) => item !== 3 && item !== 9)
  expect([deadlines.due(10), deadlines.due(10), deadlines.due(10), deadlines.due(10)]).toEqual([
    1,
    5,
    7,
    undefined,
  ])
})

test('Fifo is a queue that takes back its first', () => {
  const fifo = new Fifo<number>(() => true)
  for (const item of [1, 2, 3]) fifo.push(item)
  expect(fifo.shift()).toBe(1)
  fifo.push(4)
  fifo.unshift(1)
  expect(fifo.peek()).toBe(1)
  expect(fifo.size).toBe(4)
  expect(fifo.clear()).toEqual([1, 2, 3, 4])
  expect(fifo.shift()).toBeUndefined()
})

test('Fifo drops what is not needed in its middle, and keeps the order', () => {
  const isNeeded = (item: number): boolean => item % 1000 === 0
  const fifo = new Fifo(isNeeded)
  for (let item = 0; item < 10_000; item++) {
    fifo.push(item)
    expect(fifo.size).toBeLessThan(64)
  }
  const left = fifo.clear().filter(isNeeded)
  expect(left).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000])
})

test('Dispatcher sends long values through the largest arena that there may be', () => {
  const options = resolveOptions({ worker: 'unused.js', arenaBytes: 2 ** 31 })
  const settle = (): void => {}
  const fields = taskFields(noOptions, options)
  const task = new Task(new Uint8Array(1000), 0, fields, settle, settle)
  expect(new Dispatcher(options, settle).send(task, -1)).toBe(true)
  expect(task.port).toBe('no')
})

test('FreeSlots uses the slot that has rested longest', () => {
  const free = new FreeSlots(3)
  expect([free.take(), free.take(), free.take(), free.take()]).toEqual([0, 1, 2, -1])
  free.give(1)
  free.give(0)
  expect([free.take(), free.take(), free.take()]).toEqual([1, 0, -1])
})

test('Histogram gives quantiles that are at most an eighth too high', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2 ** 31), { minLength: 1 }), (values) => {
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const sorted = values.toSorted((a, b) => a - b)
      for (const fraction of [0.5, 0.9, 1]) {
        const exact = sorted[Math.max(0, Math.ceil(values.length * fraction) - 1)] ?? 0
        const quantile = histogram.quantileUs(fraction)
        expect(quantile).toBeGreaterThanOrEqual(exact)
        expect(quantile).toBeLessThanOrEqual(exact * 1.125)
      }
    }),
  )
})

test('Histogram takes the longest time there is', () => {
  const histogram = new Histogram()
  histogram.record(0xffffffff)
  expect(histogram.quantileUs(1)).toBe(0xffffffff)
  expect(new Histogram().summary()).toMatchObject({ count: 0, mean: 0, p99: 0 })
})
