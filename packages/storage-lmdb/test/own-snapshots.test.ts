import { TreeValue } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { Tree } from '../src/index.ts'
import { at } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Ways to read that leave nothing open which the caller knows of. */
const readings: Readonly<Record<string, (tree: Tree) => void>> = {
  get: (tree) => tree.get('/c'),
  has: (tree) => tree.has('/c'),
  keys: (tree) => tree.keys('/c'),
  count: (tree) => tree.count('/c'),
  query: (tree) => tree.query('/c', { orderBy: '$key', limitToFirst: 1 }),
  indexes: (tree) => tree.indexes(),
  stats: (tree) => tree.stats(),
  watch: (tree) => {
    tree.watch('/c', () => {})()
  },
  'a listener': (tree) => {
    const unsubscribe = tree.store.subscribe(() => tree.get('/c'))
    tree.setSync('/heard', 1)
    unsubscribe()
  },
  'an iterator left half-way': ({ store }) => {
    const snapshot = store.snapshot()
    snapshot.keys(at('/c'))[Symbol.iterator]().next()
    snapshot.jsonBlocks(at('/large'))![Symbol.iterator]().next()
    snapshot.close()
  },
  'a loop over the log left half-way': ({ store }) => {
    for (const { sequence } of store.changesFrom(store.idOf(1)!)) if (sequence === 1) break
  },
  'snapshots over own commits': ({ store }) => {
    const first = store.snapshot()
    store.commit([write('/c/n', 1)])
    const second = store.snapshot()
    store.commit([write('/c/n', 2)])
    const third = store.snapshot()
    second.close()
    third.close()
    first.close()
  },
}

const writings: Readonly<Record<string, (tree: Tree) => void>> = {
  setSync: (tree) => {
    tree.setSync('/c/n', 1)
  },
  updateSync: (tree) => {
    tree.updateSync('/', { 'c/n': 1, 'd/n': 1 })
  },
  pushSync: (tree) => tree.pushSync('/list', 1),
  deleteSync: (tree) => {
    tree.deleteSync('/c/n')
  },
  // oxlint-disable-next-line elkyn/transaction-returns-nothing -- the tree's own method of that name takes a value
  transactionSync: (tree) => tree.transactionSync('/c/n', () => 2),
  'a condition on what is large': ({ store }) => {
    const snapshot = store.snapshot()
    const etag = snapshot.etag(at('/large'))
    snapshot.close()
    const precondition = { path: at('/large'), etag }
    expect(store.commit([{ ...write('/c/n', 3), precondition }])).toMatchObject([{ ok: true }])
  },
  'a refused write': ({ store }) => {
    const judge = () => {
      throw new Error('no')
    }
    expect(store.commit([{ ...write('/c/n', 4), judge }])).toMatchObject([{ ok: false }])
  },
  defineIndexes: (tree) => {
    tree.defineIndexes({ '/c': ['n'] })
  },
  'a staged value': ({ store }) => {
    const stager = store.stage()
    for (const text of ['["', 'x'.repeat(3_000_000), '"]']) stager.write(Buffer.from(text))
    store.commit([{ pairs: [{ path: at('/staged'), value: stager.end()[0]!.value }] }])
  },
  'deleteSync of what is large': (tree) => {
    tree.deleteSync('/large')
  },
}

function write(path: string, node: number) {
  return { pairs: [{ path: at(path), value: TreeValue.fromNode(node) }] }
}

test.each(Object.keys(readings))(
  'what a thread has read by %s it does not keep over its own commits',
  async (reading) => {
    using folder = temporaryFolder()
    await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
    const large = Array.from({ length: 1500 }, (_, index) => [`k${index}`, 'v'.repeat(60)])
    tree.setSync('/large', Object.fromEntries(large))
    for (const [name, writing] of Object.entries(writings)) {
      tree.setSync('/c', { n: 0, m: 0 })
      readings[reading]!(tree)
      writing(tree)
      expect.soft(tree.stats().snapshots, name).toBe(0)
    }
  },
)
