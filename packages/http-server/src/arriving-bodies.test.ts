import { expect, test } from 'vitest'
import { ArrivingBodies } from './arriving-bodies.ts'

test('ArrivingBodies has the one give way that began first, until there is room', () => {
  const gone: string[] = []
  const body = (name: string) => ({ giveWay: () => gone.push(name) })
  const [a, b, c] = [body('a'), body('b'), body('c')]
  const bodies = new ArrivingBodies(10)
  bodies.add(a, 4)
  bodies.add(b, 4)
  bodies.add(a, 2)
  expect(gone).toEqual([])
  bodies.add(c, 1)
  expect(gone).toEqual(['a'])
  bodies.remove(b)
  bodies.remove(b)
  bodies.add(c, 9)
  expect(gone).toEqual(['a'])
  bodies.add(c, 1)
  expect(gone).toEqual(['a', 'c'])
  bodies.add(b, 10)
  expect(gone).toEqual(['a', 'c'])
})
