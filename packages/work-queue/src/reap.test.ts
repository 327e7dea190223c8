import { expect, test } from 'vitest'
import { CELL, cellAt, format, layoutOf } from './layout.ts'
import { Memory } from './memory.ts'
import { resolveSizes } from './options.ts'
import { join } from './participants.ts'
import { Reaper } from './reap.ts'

test("a number that is another thread's by now is left alone, alive or being reaped", () => {
  const layout = layoutOf(resolveSizes({ arenaBytes: 0 }))
  const buffer = new SharedArrayBuffer(layout.totalBytes)
  const words = new Int32Array(buffer, 0, layout.blocks)
  format(words, layout, 0)
  const me = join(words, layout, 1)
  const dead = join(words, layout, 2)
  const owner = cellAt(layout, dead) + CELL.OWNER
  const reaper = new Reaper(new Memory(words, new Uint8Array(buffer), layout, me))
  const report = reaper.begin(dead, 2)
  expect(report).toMatchObject({ participant: dead, threadId: 2 })
  // Somebody else has finished it, and thread 3 got the number; then it died too.
  for (const value of [4, -4]) {
    words[owner] = value
    expect(reaper.begin(dead, 2)).toBe(undefined)
    expect(reaper.step(report!)).toBe(true)
    expect(words[owner]).toBe(value)
  }
  expect(reaper.begin(dead)).toMatchObject({ threadId: 3 })
})
