import { expect, test } from 'vitest'
import { Scaler } from './scaler.ts'
import type { Observation } from './scaler.ts'

const limits = { minThreads: 1, maxThreads: 8, scaleUpWaitMs: 10, idleTimeoutMs: 1000 }

function seen(fields: Partial<Observation>): Observation {
  return { now: 0, threads: 1, starting: 0, waiting: 0, waitMs: 0, busyMs: 0, ...fields }
}

test('the minimum is started at once', () => {
  const scaler = new Scaler({ ...limits, minThreads: 3 })
  expect(scaler.observe(seen({ threads: 0 }))).toEqual({ change: 3, reason: 'minimum' })
})

test('a pool without a minimum starts a thread for the first task', () => {
  const scaler = new Scaler({ ...limits, minThreads: 0 })
  expect(scaler.observe(seen({ threads: 0 })).change).toBe(0)
  expect(scaler.observe(seen({ threads: 0, waiting: 1 }))).toEqual({
    change: 1,
    reason: 'first task',
  })
})

test('threads double while tasks wait for too long', () => {
  const scaler = new Scaler(limits)
  const steps = [1, 2, 4, 8].map(
    (threads) => scaler.observe(seen({ threads, waiting: 100, waitMs: 11 })).change,
  )
  expect(steps).toEqual([1, 2, 4, 0])
})

test('a queue that is served soon enough starts nothing, however long it is', () => {
  expect(new Scaler(limits).observe(seen({ waiting: 1000, waitMs: 9 })).change).toBe(0)
})

test('threads that are starting are waited for', () => {
  const observation = seen({ threads: 2, starting: 1, waiting: 100, waitMs: 500 })
  expect(new Scaler(limits).observe(observation).change).toBe(0)
})

test('no more threads are started than tasks wait', () => {
  expect(new Scaler(limits).observe(seen({ threads: 4, waiting: 1, waitMs: 50 })).change).toBe(1)
})

test('a thread is retired after an idle time, one at a time, down to the minimum', () => {
  const scaler = new Scaler(limits)
  scaler.observe(seen({ now: 0, threads: 3 }))
  expect(scaler.observe(seen({ now: 999, threads: 3 })).change).toBe(0)
  expect(scaler.observe(seen({ now: 1000, threads: 3 }))).toEqual({ change: -1, reason: 'idle' })
  expect(scaler.observe(seen({ now: 1001, threads: 2 })).change).toBe(0)
  expect(scaler.observe(seen({ now: 2000, threads: 2 })).change).toBe(-1)
  expect(scaler.observe(seen({ now: 9000, threads: 1 })).change).toBe(0)
})

test('threads that would be missed are not retired', () => {
  const scaler = new Scaler(limits)
  scaler.observe(seen({ now: 0, threads: 2 }))
  expect(scaler.observe(seen({ now: 1000, threads: 2, busyMs: 900 })).change).toBe(0)
  expect(scaler.observe(seen({ now: 2000, threads: 2, busyMs: 1500 })).change).toBe(-1)
})

test('a wait starts the idle time again', () => {
  const scaler = new Scaler({ ...limits, maxThreads: 2 })
  scaler.observe(seen({ now: 0, threads: 2 }))
  scaler.observe(seen({ now: 800, threads: 2, waiting: 5, waitMs: 20 }))
  expect(scaler.observe(seen({ now: 1000, threads: 2 })).change).toBe(0)
  expect(scaler.observe(seen({ now: 1800, threads: 2 })).change).toBe(-1)
})
