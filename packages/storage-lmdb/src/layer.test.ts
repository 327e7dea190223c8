import { Branch, TreeValue, compareKeys, keysInRange } from '@elkyn/tree'
import type { KeyRange } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { key, keyRange } from '../test/arbitraries.ts'
import { Layer } from './layer.ts'
import type { EntrySource } from './layer.ts'

const one = TreeValue.fromNode(1)
const two = TreeValue.fromNode(2)

/** Names that lie there from the beginning, under any head. */
function source(names: readonly string[]): EntrySource {
  const entry = (_: number, name: string) => (names.includes(name) ? one : undefined)
  return {
    entry,
    passed: entry,
    names: (_, range = {}) => within(names, range),
  }
}

/** The same, in the order given, and counts those that are read. */
class CountingSource implements EntrySource {
  readonly #names: readonly string[]
  read = 0

  constructor(names: readonly string[]) {
    this.#names = names
  }

  entry(): TreeValue {
    return one
  }

  passed(): TreeValue {
    return one
  }

  *names(_: number, { after }: KeyRange = {}): Iterable<string> {
    for (
      let index = after === undefined ? 0 : this.#names.indexOf(after) + 1;
      index < this.#names.length;
      index++
    ) {
      this.read++
      yield this.#names[index]!
    }
  }
}

function within(names: readonly string[], range: KeyRange): string[] {
  const children = new Map([...new Set(names)].toSorted(compareKeys).map((name) => [name, 1]))
  return keysInRange(new Branch(children), range)
}

const head = fc.integer({ min: 1, max: 3 })
const change = fc.tuple(head, key, fc.boolean())

test('a layer shows what lies below with its changes worked in', () => {
  fc.assert(
    fc.property(
      fc.array(key, { maxLength: 8 }),
      fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 4 }),
      fc.array(keyRange, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (below, writes, ranges, isLastDropped) => {
        const layer = new Layer(source(below))
        const top = new Layer(layer)
        const model = new Map([1, 2, 3].map((number) => [number, new Set(below)]))
        const compare = (of: Layer) => {
          for (const [number, names] of model) {
            for (const name of [...below, ...names]) {
              expect(of.entry(number, name) !== undefined).toBe(names.has(name))
            }
            for (const range of ranges) {
              expect([...of.names(number, range)]).toEqual(within([...names], range))
            }
            expect(of.hasNames(number)).toBe(names.size > 0)
          }
        }
        for (const changes of writes) {
          for (const [number, name, isThere] of changes) {
            top.set(number, name, isThere ? two : null)
            if (isThere) model.get(number)!.add(name)
            else model.get(number)!.delete(name)
          }
          compare(top)
          layer.absorb(top)
          top.settle()
          compare(layer)
          compare(top)
        }
        if (isLastDropped) {
          for (const number of [1, 2, 3]) for (const name of below) top.set(number, name, null)
          top.settle()
        }
        compare(top)
        const changed: [number, string][] = []
        layer.forEach((number, name, entry) => {
          changed.push([number, name])
          expect(entry !== null).toBe(model.get(number)!.has(name))
        })
        expect(new Set(changed.map(String)).size).toBe(changed.length)
        layer.settle()
        for (const range of ranges) expect([...layer.names(1, range)]).toEqual(within(below, range))
      },
    ),
    { numRuns: 300 },
  )
})

test('names() reads no more of what lies below than it is asked for', () => {
  const read: string[] = []
  const layer = new Layer({
    entry: () => one,
    passed: () => one,
    *names(_, { after } = {}) {
      for (let index = after === undefined ? 0 : Number(after) + 1; ; index++) {
        read.push(String(index))
        yield String(index)
      }
    },
  })
  layer.set(1, '0', null)
  layer.set(1, '01', two)
  expect([...layer.names(1, { limit: 2 })]).toEqual(['1', '01'])
  expect(read.length).toBeLessThan(5)
})

test('hasNames() looks at each name below once, however often it is asked', () => {
  const names = Array.from({ length: 2000 }, (_, index) => `k${index}`)
  const below = new CountingSource(names)
  const layer = new Layer(below)
  for (const [index, name] of names.entries()) {
    layer.set(1, name, null)
    expect(layer.hasNames(1)).toBe(index < names.length - 1)
  }
  layer.set(1, 'k7', two)
  expect(layer.hasNames(1)).toBe(true)
  layer.set(1, 'k7', null)
  expect(layer.hasNames(1)).toBe(false)
  expect(below.read).toBeLessThan(3 * names.length)
})

test('removals in layers that are taken over one by one look at each name below once or twice', () => {
  const names = Array.from({ length: 2000 }, (_, index) => `k${String(index).padStart(4, '0')}`)
  const below = new CountingSource(names)
  const layer = new Layer(below)
  for (const [index, name] of names.entries()) {
    const top = new Layer(layer)
    top.set(1, name, null)
    expect(top.hasNames(1)).toBe(index < names.length - 1)
    layer.absorb(top)
  }
  expect(below.read).toBeLessThan(6 * names.length)
})

test('removals of what came in the layer below sort that once at most', () => {
  const sort = vi.spyOn(Array.prototype, 'toSorted')
  onTestFinished(() => {
    sort.mockRestore()
  })
  const names = Array.from({ length: 1000 }, (_, index) => `k${index}`)
  const layer = new Layer(new CountingSource([]))
  for (const name of names) layer.set(1, name, one)
  for (const [index, name] of names.entries()) {
    const top = new Layer(layer)
    top.set(1, name, null)
    expect(top.hasNames(1)).toBe(index < names.length - 1)
    layer.absorb(top)
  }
  expect(sort.mock.calls.length).toBeLessThanOrEqual(1)
  for (const name of names) layer.set(1, name, one)
  const top = new Layer(layer)
  for (const [index, name] of names.entries()) {
    top.set(1, name, null)
    expect(top.hasNames(1)).toBe(index < names.length - 1)
  }
  expect(sort.mock.calls.length).toBeLessThanOrEqual(2)
})

test('absorb() takes any number of heads over', () => {
  const layer = new Layer(source([]))
  const top = new Layer(layer)
  for (let number = 0; number < 300_000; number++) {
    top.buried.push(number)
    top.linked.push(number)
    top.odd.add(number)
  }
  top.gone = 7
  layer.absorb(top)
  expect([layer.buried.length, layer.linked.length, layer.odd.size, layer.gone]).toEqual([
    300_000, 300_000, 300_000, 7,
  ])
  layer.settle()
  expect([layer.buried.length, layer.linked.length, layer.odd.size, layer.gone]).toEqual([
    0, 0, 0, 0,
  ])
})
