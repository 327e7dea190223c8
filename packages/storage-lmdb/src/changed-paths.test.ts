import { childPath, maxKeyBytes, parsePath, rootPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { bearingOn, strongest } from './bearing.ts'
import { ChangedPaths } from './changed-paths.ts'

const name = fc.constantFrom('a', 'b', 'ab', 'x'.repeat(maxKeyBytes), '.priority')
const path = fc.array(name, { maxLength: 4 }).map((keys) => keys.reduce(childPath, rootPath))

test('many changes bear on a path as the strongest of them does', () => {
  const change = fc.tuple(fc.nat(5), path)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(change, { maxLength: 3 }), fc.nat(6), path)),
      (steps) => {
        const changed = new ChangedPaths(steps.map(([, , asked]) => asked))
        const all: [sequence: number, path: Path][] = []
        for (const [changes, since, asked] of steps) {
          for (const [sequence, place] of changes) {
            changed.add(sequence, place)
            all.push([sequence, place])
          }
          const later = all.filter(([sequence]) => sequence >= since)
          const bearings = later.map(([, place]) => bearingOn(asked, place))
          expect(changed.bearingSince(since, asked)).toBe(strongest(bearings))
        }
      },
    ),
  )
})

test('changes elsewhere are not kept, however deep they are', () => {
  const deep = Array.from({ length: 30 }, () => 'a').reduce(childPath, rootPath)
  const changed = new ChangedPaths([parsePath('/a/b'), parsePath('/b')])
  const kept = vi.spyOn(Map.prototype, 'set')
  onTestFinished(() => {
    kept.mockRestore()
  })
  for (let sequence = 1; sequence < 100; sequence++)
    changed.add(sequence, childPath(deep, `k${sequence}`))
  expect(kept).not.toHaveBeenCalled()
  expect(changed.bearingSince(1, parsePath('/a/b'))).toBe('none')
})
