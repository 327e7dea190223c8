import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys, parseIntegerKey } from './key-order.ts'
import { checkKey } from './key.ts'
import { createPushIdGenerator, pushId } from './push-id.ts'

const zeros = { fillRandom: (bytes: Uint8Array) => void bytes.fill(0) }
const ones = { fillRandom: (bytes: Uint8Array) => void bytes.fill(0xff) }

describe('createPushIdGenerator()', () => {
  test('ids grow whatever the clock does', () => {
    const steps = fc.array(fc.constantFrom(-1000, -1, 0, 0, 0, 1, 50, 1e9), { minLength: 2 })
    fc.assert(
      fc.property(steps, fc.constantFrom({}, zeros, ones), (offsets, random) => {
        let time = 1_600_000_000_000
        const next = createPushIdGenerator({ ...random, now: () => time })
        let previous = next()
        for (const offset of offsets) {
          time += offset
          const id = next()
          expect(id).toMatch(/^[-\dA-Z_a-z]{20}$/)
          expect(id > previous).toBe(true)
          expect(compareKeys(id, previous)).toBeGreaterThan(0)
          previous = id
        }
      }),
    )
  })

  test('the first eight characters are the time', () => {
    const at = (now: number) => createPushIdGenerator({ ...zeros, now: () => now })()
    expect(at(0)).toBe('--------------------')
    expect(at(63)).toBe('-------z------------')
    expect(at(64)).toBe('------0-------------')
    // The id that opens the published description of the algorithm was made on 2015-02-11.
    expect(at(1_423_694_400_000).slice(0, 3)).toBe('-Jh')
  })

  test('ids of one millisecond count up with carry', () => {
    const next = createPushIdGenerator({
      now: () => 0,
      fillRandom: (bytes) => void bytes.fill(63).fill(0, 0, 9),
    })
    expect(next()).toBe('-----------------zzz')
    expect(next()).toBe('----------------0---')
    expect(next()).toBe('----------------0--0')
  })

  test('a millisecond whose ids are used up borrows from the next one', () => {
    let now = 5
    const next = createPushIdGenerator({ ...ones, now: () => now })
    expect(next()).toBe('-------4zzzzzzzzzzzz')
    expect(next()).toBe('-------5zzzzzzzzzzzz')
    now = 6
    expect(next()).toBe('-------6zzzzzzzzzzzz')
  })

  test('ids are keys and never integers', () => {
    for (let count = 0; count < 100; count++) {
      const id = pushId()
      checkKey(id)
      expect(parseIntegerKey(id)).toBe(undefined)
    }
  })

  test('ids of two generators differ', () => {
    const ids = new Set<string>()
    for (let count = 0; count < 1000; count++) ids.add(createPushIdGenerator({ now: () => 1 })())
    expect(ids.size).toBe(1000)
  })
})
