import { ServerValue } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PlacedServerValues } from './placed-server-values.ts'

const keys = fc.array(fc.constantFrom('a', 'b', '.priority'), { minLength: 1, maxLength: 3 })

test('forget() forgets what is at a place and below it, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, fc.boolean())), (steps) => {
      const placed = new PlacedServerValues()
      const model = new Map<string, ServerValue>()
      for (const [index, [path, isSet]] of steps.entries()) {
        const place = path.join('/')
        if (isSet) {
          const value = new ServerValue(index)
          placed.set(path, value)
          model.set(place, value)
        } else {
          placed.forget(path)
          for (const other of model.keys()) {
            if (other === place || other.startsWith(`${place}/`)) model.delete(other)
          }
        }
      }
      const left = Array.from(placed.entries(), ([path, value]) => [path.join('/'), value] as const)
      expect(new Map(left)).toEqual(model)
      expect(left.length).toBe(model.size)
    }),
  )
})

test('any number of server values is kept in a time that grows with the number', () => {
  const placed = new PlacedServerValues()
  for (let index = 0; index < 100_000; index++) {
    placed.forget([`k${index}`])
    placed.set([`k${index}`, 'at'], new ServerValue())
  }
  expect([...placed.entries()].length).toBe(100_000)
})
