import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json, key, print, priority } from '../test/arbitraries.ts'
import { keyOrders } from '../test/key-orders.ts'
import { toCanonical } from './canonical.ts'
import { NodeEdits, withChild, withPriority } from './node-edit.ts'
import { Branch, RankedLeaf, nodeAt, nodesEqual, priorityOf } from './node.ts'
import type { TreeNode } from './node.ts'
import { parseJson } from './parse.ts'

const node = json.map((value) => parseJson(print(value)).node)
const something = node.filter((value) => value !== null)
const keys = fc.array(key, { minLength: 1, maxLength: 4 })

function text(value: TreeNode | null): string {
  return toCanonical(value, 'export')
}

/** Keys that lead into a node, to meet what is there. */
const nodeAndKeys = something.chain((root) => {
  const paths: string[][] = []
  const collect = (value: TreeNode, path: string[]): void => {
    if (path.length > 0) paths.push(path)
    if (!(value instanceof Branch)) return
    for (const [name, child] of value.children) collect(child, [...path, name])
  }
  collect(root, [])
  const inside = paths.length === 0 ? keys : fc.constantFrom(...paths)
  const beside = fc.tuple(inside, keys).map(([path, more]) => path.slice(0, -1).concat(more))
  return fc.tuple(fc.constant(root), fc.oneof(inside, beside, keys))
})

describe('withChild()', () => {
  test('what was set is there, and everything beside it as before', () => {
    fc.assert(
      fc.property(nodeAndKeys, something, keys, ([root, path], value, other) => {
        const result = withChild(root, path, value)
        expect(text(nodeAt(result, path))).toBe(text(value))
        const shared = path.findIndex((name, level) => name !== other[level])
        if (shared === -1 || shared >= other.length) return
        // Of a leaf that became a branch nothing was below.
        expect(text(nodeAt(result, other))).toBe(text(nodeAt(root, other)))
      }),
    )
  })

  test('the last of two writes to one place holds', () => {
    fc.assert(
      fc.property(nodeAndKeys, something, something, ([root, path], first, second) => {
        const both = withChild(withChild(root, path, first), path, second)
        expect(text(both)).toBe(text(withChild(root, path, second)))
      }),
    )
  })

  test('writing again what is there gives the same node back', () => {
    fc.assert(
      fc.property(nodeAndKeys, ([root, path]) => {
        expect(withChild(root, path, nodeAt(root, path))).toBe(root)
      }),
    )
  })

  test('what was set where nothing was can be taken away again', () => {
    fc.assert(
      fc.property(nodeAndKeys, something, ([root, path], value) => {
        const lastParent = nodeAt(root, path.slice(0, -1))
        // Elsewhere a leaf goes for good.
        if (!(lastParent instanceof Branch) || nodeAt(root, path) !== null) return
        expect(text(withChild(withChild(root, path, value), path, null))).toBe(text(root))
      }),
    )
  })

  test('the result is as canonical as what is read from its text', () => {
    fc.assert(
      fc.property(nodeAndKeys, node, ([root, path], value) => {
        const result = withChild(root, path, value)
        expect(parseJson(text(result)).toText('export')).toBe(text(result))
        expect(result instanceof Branch && result.children.size === 0).toBe(false)
      }),
    )
  })

  test('a leaf on the way becomes a branch with its priority', () => {
    expect(text(withChild(new RankedLeaf(5, 'p'), ['a', 'b'], 1))).toBe(
      '{".priority":"p","a":{"b":1}}',
    )
    expect(text(withChild(5, ['a'], 1))).toBe('{"a":1}')
    const leaf = new RankedLeaf(5, 'p')
    expect(withChild(leaf, ['a', 'b'], null)).toBe(leaf)
  })

  test('a branch without children goes, with its priority, and so upward', () => {
    const root = parseJson('{"a":{".priority":1,"b":{".priority":2,"c":1}}}').node
    expect(withChild(root, ['a', 'b', 'c'], null)).toBe(null)
  })

  test('no keys stand for the node itself', () => {
    expect(withChild(5, [], 'new')).toBe('new')
    expect(withChild(5, [], null)).toBe(null)
  })

  test('what was not on the way is shared', () => {
    const root = parseJson('{"a":{"b":1},"c":{"d":2}}').node
    expect(nodeAt(withChild(root, ['a', 'b'], 2), ['c'])).toBe(nodeAt(root, ['c']))
  })
})

describe('NodeEdits', () => {
  test('many edits give what one after the other does, and leave what was there as it was', () => {
    const edit = fc.tuple(keys, node)
    fc.assert(
      fc.property(nodeAndKeys, fc.array(edit), ([root, path], others) => {
        const before = text(root)
        const values = others.map(([, value]) => text(value))
        // Some of them inside of what is there, and of what was set before.
        const inside = others.map(([, value], index) => [path.slice(0, index + 1), value] as const)
        const all = [...inside, ...others, ...inside]
        const edits = new NodeEdits(root)
        let expected: TreeNode | null = root
        for (const [place, value] of all) {
          edits.set(place, value)
          expected = withChild(expected, place, value)
          expect(nodesEqual(edits.at(place), nodeAt(expected, place))).toBe(true)
        }
        const result = edits.finish()
        expect(text(result)).toBe(text(expected))
        expect(keyOrders(result)).toEqual(keyOrders(expected))
        expect(text(root)).toBe(before)
        expect(others.map(([, value]) => text(value))).toEqual(values)
      }),
    )
  })

  // Of 4,000 members each copied all others, in seconds: what is quadratic does not end in time.
  test('a branch of very many children is copied once', () => {
    const edits = new NodeEdits(null)
    const count = 30_000
    for (let index = 0; index < count; index++) edits.set(['list', `${count - index}`], index)
    const list = nodeAt(edits.finish(), ['list'])
    const names = list instanceof Branch ? [...list.children.keys()] : []
    expect(names.length).toBe(count)
    expect([names[0], names.at(-1)]).toEqual(['1', `${count}`])
  })
})

describe('withPriority()', () => {
  test('it changes the priority and nothing else', () => {
    fc.assert(
      fc.property(something, fc.option(priority), (root, rank) => {
        const result = withPriority(root, rank)
        expect(priorityOf(result)).toBe(rank)
        expect(toCanonical(result, 'plain')).toBe(toCanonical(root, 'plain'))
        expect(text(withPriority(result, priorityOf(root)))).toBe(text(root))
      }),
    )
    expect(withPriority(null, 1)).toBe(null)
    expect(withPriority(new RankedLeaf('x', 1), null)).toBe('x')
  })
})

test('nodesEqual() says whether the texts are equal', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        node.map((value) => [value, value] as const),
        fc.tuple(node, node),
      ),
      ([a, b]) => {
        const copy = parseJson(text(b)).node
        expect(nodesEqual(a, copy)).toBe(text(a) === text(b))
      },
    ),
  )
})
