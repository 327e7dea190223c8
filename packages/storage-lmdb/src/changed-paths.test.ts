import { childPath, maxKeyBytes, rootPath } from '@elkyn/tree'
import type { Change, Path } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bearingOn, strongest } from './bearing.ts'
import { ChangedPaths } from './changed-paths.ts'

const name = fc.constantFrom('a', 'b', 'ab', 'x'.repeat(maxKeyBytes), '.priority')
const path = fc.array(name, { maxLength: 4 }).map((keys) => keys.reduce(childPath, rootPath))

function changeOf(paths: readonly Path[]): Change {
  const pairs = paths.map((changed) => ({ path: changed, value: undefined }))
  return { id: '', sequence: 1, time: 0, pairs }
}

test('many changes bear on a path as the strongest of them does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(path, { maxLength: 3 }), path)), (steps) => {
      const changes: Change[] = []
      const changed = new ChangedPaths(changes)
      for (const [paths, asked] of steps) {
        changes.push(changeOf(paths))
        const bearings = changes.flatMap(({ pairs }) =>
          pairs.map((pair) => bearingOn(asked, pair.path)),
        )
        expect(changed.bearingOn(asked)).toBe(strongest(bearings))
      }
    }),
  )
})

test('each change is looked at once', () => {
  let looks = 0
  const change = changeOf([childPath(rootPath, 'a')])
  const { pairs } = change
  const counted = Object.defineProperty(change, 'pairs', {
    get() {
      looks++
      return pairs
    },
  })
  const changed = new ChangedPaths([counted])
  for (const asked of ['b', 'c', 'd']) {
    expect(changed.bearingOn(childPath(rootPath, asked))).toBe('none')
  }
  expect(looks).toBe(1)
})
