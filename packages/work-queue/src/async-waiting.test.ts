import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { AsyncWaiting, HOLD, Line } from './async-waiting.ts'
import { Blocking } from './block.ts'
import { layoutOf } from './layout.ts'
import { resolveSizes } from './options.ts'
import { EventCount, ITEMS } from './waiting.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('a call that blocks does not take a pending one its wake-up', async () => {
  const layout = layoutOf(resolveSizes({}))
  const words = new Int32Array(new SharedArrayBuffer(layout.totalBytes), 0, layout.blocks)
  const events = new EventCount(words, layout, ITEMS, 0)
  const other = new EventCount(words, layout, ITEMS, 1)
  let isReady = false
  const need = { events, ready: () => isReady }
  const attempt = () => (isReady ? undefined : need)

  const pending = new Line(new AsyncWaiting()).add(attempt)
  expect(new Blocking(() => false).until(attempt, 1)).toBe(false)
  // Long before the insurance of MAX_SLEEP_MS.
  await vi.waitFor(() => expect(other.hasSleepers).toBe(true), { timeout: 5000 })
  isReady = true
  other.wakeOne()
  expect(await pending).toBe(true)
  expect(other.hasSleepers).toBe(false)
})

test('calls that are given up anywhere in a line leave the others in order, however many there are', async () => {
  const count = 100_000
  const line = new Line(new AsyncWaiting())
  const aborts = Array.from({ length: count }, () => new AbortController())
  const done: number[] = []
  let isHeld = true
  const calls = aborts.map(async ({ signal }, index) =>
    line.add(
      () => {
        if (isHeld) return HOLD
        done.push(index)
        return undefined
      },
      { signal },
    ),
  )
  const settled = Promise.allSettled(calls)
  for (const [index, abort] of aborts.entries()) if (index % 3 > 0) abort.abort()
  isHeld = false
  line.pump()
  const outcomes = await settled
  expect(done).toEqual(Array.from({ length: Math.ceil(count / 3) }, (_, index) => 3 * index))
  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(done.length)
  expect(line.isEmpty).toBe(true)
})

test('calls with the same signal have one listener there, until the last of them is over', async () => {
  const waiting = new AsyncWaiting()
  const lines = [new Line(waiting), new Line(waiting)] as const
  const { signal } = new AbortController()
  let isHeld = true
  const attempt = () => (isHeld ? HOLD : undefined)
  const calls = [lines[0], lines[1], lines[0]].map(async (line) => line.add(attempt, { signal }))
  expect(getEventListeners(signal, 'abort').length).toBe(1)
  isHeld = false
  lines[0].pump()
  await Promise.all([calls[0], calls[2]])
  expect(getEventListeners(signal, 'abort').length).toBe(1)
  lines[1].pump()
  await calls[1]
  expect(getEventListeners(signal, 'abort').length).toBe(0)
})

test('a signal ends the calls of all lines that have it, and no other', async () => {
  const waiting = new AsyncWaiting()
  const line = new Line(waiting)
  const [abort, other] = [new AbortController(), new AbortController()]
  let isHeld = true
  const attempt = () => (isHeld ? HOLD : undefined)
  const settled = Promise.allSettled([
    line.add(attempt, { signal: abort.signal }),
    line.add(attempt, { signal: other.signal }),
    new Line(waiting).add(attempt, { signal: abort.signal }),
    line.add(attempt, { signal: abort.signal }),
  ])
  const reason = new Error('enough')
  abort.abort(reason)
  isHeld = false
  line.pump()
  const rejected = { status: 'rejected', reason }
  const done = { status: 'fulfilled', value: true }
  expect(await settled).toEqual([rejected, done, rejected, rejected])
  expect(getEventListeners(other.signal, 'abort').length).toBe(0)
})

test('a call that is given up behind others keeps nothing', async () => {
  const waiting = new AsyncWaiting()
  const line = new Line(waiting)
  const others = [line.add(() => HOLD), line.add(() => HOLD)]
  const abort = new AbortController()
  /** Not here, lest this function keeps what it passes. */
  const addLarge = (): WeakRef<Uint8Array> => {
    const payload = new Uint8Array(1000)
    const call = line.add(() => (payload.length > 0 ? HOLD : undefined), { signal: abort.signal })
    others.push(call)
    return new WeakRef(payload)
  }
  const payload = addLarge()
  abort.abort()
  const settled = Promise.allSettled(others)
  await setImmediate()
  collectGarbage()
  expect(payload.deref()).toBe(undefined)
  waiting.end(new Error('over'))
  await settled
})

test('a line whose call is over is not kept by a sleep that others need', async () => {
  const layout = layoutOf(resolveSizes({}))
  const words = new Int32Array(new SharedArrayBuffer(layout.totalBytes), 0, layout.blocks)
  const need = { events: new EventCount(words, layout, ITEMS, 0), ready: () => false }
  const waiting = new AsyncWaiting()
  const calls = [new Line(waiting).add(() => need)]
  const abort = new AbortController()
  let isDone = false
  /** Not here, lest this function keeps them. */
  const addLines = (): WeakRef<Line>[] => {
    const lines = [new Line(waiting), new Line(waiting)] as const
    calls.push(lines[0].add(() => need, { signal: abort.signal }))
    calls.push(lines[1].add(() => (isDone ? undefined : need)))
    return lines.map((line) => new WeakRef(line))
  }
  const lines = addLines()
  abort.abort()
  isDone = true
  waiting.pumpAll()
  const settled = Promise.allSettled(calls)
  await setImmediate()
  collectGarbage()
  expect(lines.map((line) => line.deref())).toEqual([undefined, undefined])
  waiting.end(new Error('over'))
  await settled
})
