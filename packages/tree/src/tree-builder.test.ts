import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json, print } from '../test/arbitraries.ts'
import { toCanonical } from './canonical.ts'
import { escapeKey } from './escape-key.ts'
import { branchOf, withChild, withPriority } from './node-edit.ts'
import type { Priority, ServerValue, TreeNode } from './node.ts'
import { parseJson, parseUpdate } from './parse.ts'
import { JsonTokenizer } from './tokenizer.ts'
import { TreeBuilder } from './tree-builder.ts'
import type { BuiltValue } from './tree-builder.ts'
import type { TreeSink } from './tree-sink.ts'
import { UpdateBuilder } from './update-builder.ts'

/** A container that a sink holds: children that are whole, and others that are containers. */
interface Held {
  readonly parent: Held | undefined
  readonly key: string
  readonly children: Map<string, TreeNode | Held>
  priority: Priority
  isOpen: boolean
}

/** The plainest sink, which also makes sure that it is used as it should be. */
class HoldingSink implements TreeSink<Held> {
  readonly values: string[] = []
  readonly discarded: Held[] = []
  largestPut = 0
  puts = 0
  opened = 0

  open(parent: Held | undefined, key: string): Held {
    assertOpen(parent?.isOpen ?? true)
    this.opened++
    const held: Held = { parent, key, children: new Map(), priority: null, isOpen: true }
    parent?.children.set(key, held)
    return held
  }

  put(parent: Held, key: string, node: TreeNode): void {
    assertOpen(parent.isOpen)
    this.puts++
    this.largestPut = Math.max(this.largestPut, toCanonical(node, 'export').length)
    parent.children.set(key, node)
  }

  delete(parent: Held, key: string): void {
    assertOpen(parent.isOpen)
    parent.children.delete(key)
  }

  serverValue(parent: Held, keys: readonly string[], value: ServerValue): void {
    this.values.push(`${pathOf(parent)}${keys.join('/')} ${value.increment}`)
  }

  close(held: Held, priority: Priority): boolean {
    held.isOpen = false
    held.priority = priority
    const remains = held.children.size > 0
    if (!remains) held.parent?.children.delete(held.key)
    return remains
  }

  discard(held: Held): void {
    assertOpen(!held.isOpen)
    this.discarded.push(held)
  }
}

function assertOpen(isRight: boolean): void {
  if (!isRight) throw new Error('A container is open that should be closed, or the other way')
}

function pathOf({ parent, key }: Held): string {
  return parent === undefined ? '/' : `${pathOf(parent)}${key}/`
}

function nodeOf(held: Held): TreeNode | null {
  const children = new Map<string, TreeNode>()
  for (const [key, child] of held.children) {
    const node = typeof child === 'object' && 'isOpen' in child ? nodeOf(child) : child
    if (node !== null) children.set(key, node)
  }
  return branchOf(children, held.priority)
}

function built(value: BuiltValue<Held>): TreeNode | null {
  return value.handle === undefined ? value.node : nodeOf(value.handle)
}

function build(text: string, maxPendingBytes: number, sink = new HoldingSink()): TreeNode | null {
  const builder = new TreeBuilder({ sink, maxPendingBytes })
  const tokenizer = new JsonTokenizer(builder)
  tokenizer.write(text)
  tokenizer.end()
  return built(builder.value)
}

describe('TreeBuilder', () => {
  test('what went to the sink and what did not come to the same, at any limit', () => {
    fc.assert(
      fc.property(json, fc.nat(200), (value, maxPendingBytes) => {
        const text = print(value)
        expect(toCanonical(build(text, maxPendingBytes), 'export')).toBe(
          parseJson(text).toText('export'),
        )
      }),
    )
  })

  test('it holds no more than it was told to, and one value', () => {
    const sink = new HoldingSink()
    const records = Array.from({ length: 1000 }, (_, index) => ({
      id: index,
      text: 'x'.repeat(50),
    }))
    build(JSON.stringify({ deep: { list: records, other: records } }), 4096, sink)
    expect(sink.largestPut).toBeLessThan(100)
  })

  test('it holds so much of the smallest containers as there is memory for', () => {
    const sink = new HoldingSink()
    const tokenizer = new JsonTokenizer(new TreeBuilder({ sink }))
    let held = 0
    tokenizer.write('{')
    for (; sink.opened === 0; held++) {
      tokenizer.write(`${held === 0 ? '' : ','}"k${held}":{"b":1}`)
    }
    // Each takes some 300 bytes, of which 15 are JSON.
    expect(held).toBeGreaterThan(5000)
    expect(held).toBeLessThan(9000)
  })

  test('priorities count among what is held', () => {
    const sink = new HoldingSink()
    const leaf = `{".value":1,".priority":"${'p'.repeat(1000)}"}`
    build(`{"a":${leaf},"b":${leaf},"c":${leaf},"d":${leaf}}`, 3000, sink)
    expect(sink.opened).toBe(1)
  })

  test('what was held goes to the sink with what comes, a little at a time', () => {
    const sink = new HoldingSink()
    const builder = new TreeBuilder({ sink, maxPendingBytes: 10_000 })
    const tokenizer = new JsonTokenizer(builder)
    tokenizer.write('{')
    let most = 0
    for (let index = 0; index < 2500; index++) {
      const before = sink.puts
      tokenizer.write(`${index === 0 ? '' : ','}"${index}":1`)
      most = Math.max(most, sink.puts - before)
    }
    // All but the last one, whose end nobody has seen.
    expect(sink.puts).toBe(2499)
    expect(most).toBeLessThan(6)
    tokenizer.write('}')
    expect(sink.puts).toBe(2500)
  })

  test('of two members with one name the last one holds, wherever they went', () => {
    const long = `{"x":"${'x'.repeat(100)}","y":1}`
    expect(toCanonical(build(`{"a":${long},"b":1,"a":2}`, 50), 'plain')).toBe('{"a":2,"b":1}')
    expect(toCanonical(build(`{"a":1,"b":${long},"a":null}`, 50), 'plain')).toBe(`{"b":${long}}`)
    expect(toCanonical(build(`{"b":${long},"a":${long},"a":{}}`, 50), 'plain')).toBe(
      `{"b":${long}}`,
    )
    expect(toCanonical(build(`{"a":${long},"a":{"z":${long}}}`, 50), 'plain')).toBe(
      `{"a":{"z":${long}}}`,
    )
  })

  test('server values reach the sink with their places', () => {
    const sink = new HoldingSink()
    const increment = '{".sv":{"increment":5}}'
    const text = `{"long":"${'x'.repeat(100)}","a":{"b":${increment},"c":[{".value":${increment},".priority":{".sv":"timestamp"}}]},"d":${increment},".priority":${increment}}`
    expect(toCanonical(build(text, 50, sink), 'export')).toBe(
      parseJson(text.replaceAll(increment, '5').replace('{".sv":"timestamp"}', '0')).text,
    )
    expect(sink.values.toSorted()).toEqual([
      '/.priority 5',
      '/a/b 5',
      '/a/c/0 5',
      '/a/c/0/.priority undefined',
      '/d 5',
    ])
  })

  test('server values that were read before the sink was needed reach it too', () => {
    const sink = new HoldingSink()
    build(`{"a":{"b":{".sv":"timestamp"}},"c":1,"long":"${'x'.repeat(100)}","e":1}`, 90, sink)
    expect(sink.values).toEqual(['/a/b undefined'])
  })

  test('a value that cannot be is refused, though parts of it went to the sink', () => {
    const long = `"long":"${'x'.repeat(100)}","more":1`
    const code = (text: string): unknown => {
      try {
        return build(text, 10)
      } catch (error) {
        return (error as { code?: unknown }).code
      }
    }
    expect(code(`{${long},".value":1}`)).toBe('ERR_INVALID_VALUE')
    expect(code(`{${long},".sv":"timestamp"}`)).toBe('ERR_INVALID_SERVER_VALUE')
    expect(code(`{".value":{${long}}}`)).toBe('ERR_INVALID_VALUE')
    expect(code(`{".priority":{${long}},"a":1}`)).toBe('ERR_INVALID_PRIORITY')
  })

  test('names can be made keys', () => {
    const builder = new TreeBuilder({ toKey: escapeKey })
    const tokenizer = new JsonTokenizer(builder)
    tokenizer.write('{"4.4":{"a/b":1,".priority":2},"":3}')
    tokenizer.end()
    expect(toCanonical(builder.value.node ?? null, 'export')).toBe(
      '{"%":3,"4%2E4":{".priority":2,"a%2Fb":1}}',
    )
  })
})

describe('UpdateBuilder', () => {
  const member = fc.tuple(fc.constantFrom('a', 'b/c', 'd/', '/e', 'b/d'), json)

  test('each member is a value by itself, at any limit', () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), fc.nat(200), (members, maxPendingBytes) => {
        const text = `{${members.map(([name, value]) => `"${name}":${print(value)}`).join()}}`
        const sink = new HoldingSink()
        const builder = new UpdateBuilder({ sink, maxPendingBytes })
        const tokenizer = new JsonTokenizer(builder)
        tokenizer.write(text)
        tokenizer.end()
        const read = builder.members()?.map(({ path, value }) => {
          return `${path}=${toCanonical(built(value), 'export')}`
        })
        const expected = parseUpdate(text)?.map(
          ({ path, value }) => `${path}=${value.toText('export')}`,
        )
        expect(read).toEqual(expected)
      }),
    )
  })

  test('all members together hold no more than the limit, but for small ones', () => {
    const sink = new HoldingSink()
    const builder = new UpdateBuilder({ sink, maxPendingBytes: 20_000 })
    const tokenizer = new JsonTokenizer(builder)
    const record = (bytes: number): string => `{"x":"${'x'.repeat(bytes - 10)}","y":1}`
    const names = Array.from({ length: 100 }, (_, index) => `large${index}`)
    const large = names.map((name) => `"${name}":${record(1500)}`)
    const small = names.map((name) => `"small/${name}":${record(80)}`)
    tokenizer.write(`{${[...large, ...small].join()}}`)
    tokenizer.end()
    const members = builder.members() ?? []
    const held = members.filter(({ value }) => value.node !== undefined).map(({ key }) => key)
    expect(held.filter((key) => key.startsWith('large')).length).toBe(10)
    expect(held.filter((key) => key.startsWith('small')).length).toBe(100)
    expect(members.map(({ value }) => toCanonical(built(value), 'plain'))).toEqual([
      ...names.map(() => record(1500)),
      ...names.map(() => record(80)),
    ])
  })

  test('what a later member of the same name replaces is discarded', () => {
    const sink = new HoldingSink()
    const long = `{"x":"${'x'.repeat(100)}","y":1}`
    const builder = new UpdateBuilder({ sink, maxPendingBytes: 50 })
    const tokenizer = new JsonTokenizer(builder)
    tokenizer.write(`{"a":${long},"b":${long},"a":1}`)
    tokenizer.end()
    expect(sink.discarded.length).toBe(1)
    expect(builder.members()?.map(({ key, value }) => [key, built(value)])).toEqual([
      ['a', 1],
      ['b', parseJson(long).node],
    ])
  })
})

test('what builders make is what edits make', () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = print(value)
      const { node } = parseJson(text)
      expect(withChild(null, [], node)).toBe(node)
      expect(toCanonical(withPriority(build(text, 0), null), 'plain')).toBe(
        toCanonical(node, 'plain'),
      )
    }),
  )
})
