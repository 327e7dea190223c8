import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { SEAL_BYTES, Sealer, isKeyCheck, keyCheck } from './sealer.ts'

const key = Buffer.alloc(32, 'key')
const corrupt: unknown = expect.objectContaining({ code: 'ERR_STORE_CORRUPT' })

test('open() gives back what seal() sealed for the same place', () => {
  const sealer = new Sealer(key)
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (place, value) => {
      const sealed = sealer.seal(place, value)
      expect(sealed.length).toBe(value.length + SEAL_BYTES)
      expect([...new Sealer(key).open(place, sealed)]).toEqual([...value])
    }),
  )
})

test('open() refuses what was changed, moved, cut or sealed with another key', () => {
  const sealer = new Sealer(key)
  const place = Buffer.from('place')
  const sealed = sealer.seal(place, Buffer.from('value'))
  for (let index = 0; index < sealed.length; index++) {
    const changed = Buffer.from(sealed)
    changed[index]! ^= 1
    expect(() => sealer.open(place, changed)).toThrow(corrupt)
  }
  // Node warns of a tag that is shorter than usual, where it is told of nothing else than to check that.
  const warn = vi.spyOn(process, 'emitWarning')
  for (let length = 0; length < sealed.length; length++) {
    expect(() => sealer.open(place, sealed.subarray(0, length))).toThrow(corrupt)
  }
  expect(warn).not.toHaveBeenCalled()
  expect(() => sealer.open(Buffer.from('other'), sealed)).toThrow(corrupt)
  expect(() => new Sealer(Buffer.alloc(32, 'other')).open(place, sealed)).toThrow(corrupt)
})

test('no two values are sealed with the same nonce', () => {
  const sealer = new Sealer(key)
  const place = Buffer.from('place')
  const nonces = Array.from({ length: 3000 }, () =>
    sealer.seal(place, place).toString('hex', 0, 12),
  )
  expect(new Set(nonces).size).toBe(3000)
})

test('the key check tells keys and histories apart', () => {
  const check = keyCheck(key, 'epoch')
  expect(isKeyCheck(key, 'epoch', check)).toBe(true)
  expect(isKeyCheck(key, 'other', check)).toBe(false)
  expect(isKeyCheck(Buffer.alloc(32, 'other'), 'epoch', check)).toBe(false)
  expect(isKeyCheck(key, 'epoch', '')).toBe(false)
  expect(isKeyCheck(key, 'epoch', check.slice(4))).toBe(false)
})
