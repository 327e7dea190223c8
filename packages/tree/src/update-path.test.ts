import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TreeError } from './errors.ts'
import { parsePath, pathsConflict } from './path.ts'
import type { Path } from './path.ts'
import { checkConflicts } from './update-path.ts'

const keys = fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 4 })
const paths = fc
  .tuple(keys, fc.boolean())
  .map(([parts, isPriority]) => `/${[...parts, ...(isPriority ? ['.priority'] : [])].join('/')}`)
  .map((text) => parsePath(text, { priority: true }))

/** What `checkConflicts()` throws. */
function conflictOf(all: readonly Path[]): TreeError | undefined {
  try {
    checkConflicts(all)
    return undefined
  } catch (error) {
    if (error instanceof TreeError) return error
    throw error
  }
}

function anyConflicts(all: readonly Path[]): boolean {
  return all.some((path, index) => all.slice(index + 1).some((other) => pathsConflict(path, other)))
}

test('checkConflicts() finds two paths that touch one place, and names one of them', () => {
  fc.assert(
    fc.property(fc.array(paths, { maxLength: 5 }), (all) => {
      const conflict = conflictOf(all)
      expect(conflict?.code).toBe(anyConflicts(all) ? 'ERR_PATH_CONFLICT' : undefined)
      if (conflict === undefined) return
      const others = all.filter((path) => path !== conflict.path)
      expect(others.length).toBeLessThan(all.length)
      const isTwice = others.length < all.length - 1
      expect(isTwice || others.some((path) => pathsConflict(conflict.path as Path, path))).toBe(
        true,
      )
    }),
  )
})

test('checkConflicts() says which path is above which', () => {
  const [above, below] = [parsePath('/x/a'), parsePath('/x/a/b')]
  const text = "Invalid data; path '/x/a' is an ancestor of another path '/x/a/b'"
  for (const all of [
    [above, below],
    [below, above],
  ]) {
    expect(conflictOf(all)).toMatchObject({ message: text, path: above })
  }
})

test('checkConflicts() takes a time that grows with the number of paths, also of the longest', () => {
  const above = parsePath(`/${'k'.repeat(768)}`.repeat(31))
  const all = Array.from({ length: 6000 }, (_, index) => `${above}/m${index + 1000}` as Path)
  expect(conflictOf(all)).toBe(undefined)
})

test('checkConflicts() takes memory for the paths, and not for each of their keys', async () => {
  const code = `
    const { checkConflicts } = await import(${JSON.stringify(new URL('update-path.ts', import.meta.url))})
    checkConflicts(Array.from({ length: 50_000 }, (_, index) => '/' + index + '/k'.repeat(31)))
  `
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`)
  // With a map for each key they take 360 MB.
  const worker = new Worker(url, { resourceLimits: { maxOldGenerationSizeMb: 128 } })
  expect(await once(worker, 'exit')).toEqual([0])
})
