import { expect, test, vi } from 'vitest'
import { AsyncWaiting, Line } from './async-waiting.ts'
import { Blocking } from './block.ts'
import { layoutOf } from './layout.ts'
import { resolveSizes } from './options.ts'
import { EventCount, ITEMS } from './waiting.ts'

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
