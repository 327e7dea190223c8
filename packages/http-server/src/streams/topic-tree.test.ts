import { parsePath, pathsConflict } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TopicTree } from './topic-tree.ts'

const path = fc
  .array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 })
  .map((keys) => parsePath(keys.join('/')))

function concerned(tree: TopicTree<Path>, changed: Path): Path[] {
  const found: Path[] = []
  tree.concernedBy(changed, (items) => found.push(...items))
  return found.toSorted()
}

test('concernedBy() finds what stands at, above and below a path, and nothing else', () => {
  fc.assert(
    fc.property(fc.uniqueArray(path), fc.array(path), path, (paths, gone, changed) => {
      const tree = new TopicTree<Path>()
      for (const one of paths) tree.add(one, one)
      for (const one of gone) tree.delete(one, one)
      const left = paths.filter((one) => !gone.includes(one))
      expect(concerned(tree, changed)).toEqual(
        left.filter((one) => pathsConflict(one, changed)).toSorted(),
      )
    }),
  )
})

test('concernedBy() takes the priority of a node for the node', () => {
  const tree = new TopicTree<Path>()
  tree.add(parsePath('/a'), parsePath('/a'))
  expect(concerned(tree, parsePath('/a/.priority', { priority: true }))).toEqual(['/a'])
})

test('concernedBy() gives those of one place together', () => {
  const tree = new TopicTree<string>()
  for (const item of ['1', '2', '3']) tree.add(parsePath('/a'), item)
  const found: string[][] = []
  tree.concernedBy(parsePath('/a/b'), (items) => found.push([...items]))
  expect(found).toEqual([['1', '2', '3']])
})
