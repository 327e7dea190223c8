import { expect, test } from 'vitest'
import { RequestMeter } from './metrics-meter.ts'

test('answered() counts by method and status, and unknown methods as one', () => {
  const meter = new RequestMeter()
  for (const [method, status] of [
    ['GET', 200],
    ['GET', 404],
    ['GET', 200],
    ['PROPFIND', 405],
    ['QUERY', 405],
  ] as const) {
    meter.answered(method, status, meter.begun())
  }
  expect([...meter.answers()]).toEqual([
    { method: 'GET', status: 200, count: 2 },
    { method: 'GET', status: 404, count: 1 },
    { method: 'other', status: 405, count: 2 },
  ])
  expect(meter.inFlight).toBe(0)
})

test('answered() puts each time into one bucket, and the longest into the last', () => {
  const meter = new RequestMeter()
  const now = performance.now()
  for (const ms of [0, 4, 60_000]) meter.answered('PUT', 200, now - ms)
  const [durations] = [...meter.durations()]
  expect(durations?.method).toBe('PUT')
  expect(durations?.counts.at(-1)).toBe(1)
  expect(durations?.counts.reduce((sum, count) => sum + count, 0)).toBe(3)
  expect(durations?.sumMs).toBeGreaterThanOrEqual(60_004)
})

test('gone() takes what was not answered out of what is in flight', () => {
  const meter = new RequestMeter()
  meter.connections = 2
  meter.begun()
  meter.begun()
  meter.begun()
  meter.gone(2)
  expect([meter.inFlight, meter.aborted, meter.connections]).toEqual([1, 2, 1])
})
