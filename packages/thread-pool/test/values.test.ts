import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { move } from '../src/worker.ts'
import { makeFakePool } from './fake-worker.ts'
import { codeOf, makePool, nextEvent } from './pools.ts'

class Point {
  readonly x: number = 1
  readonly #hidden: number = 2

  get hidden(): number {
    return this.#hidden
  }
}

function cycle(): unknown {
  const object: Record<string, unknown> = { list: [1, 2] }
  object['self'] = object
  return object
}

function twice(): unknown {
  const shared = { a: 1 }
  return { first: shared, second: shared }
}

// oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
const hole = [1, , 3]

const values: unknown[] = [
  undefined,
  null,
  true,
  0,
  -0,
  NaN,
  -Infinity,
  10n ** 30n,
  '',
  'text',
  'ÿĀ\u{1f600}\ud800 "quoted" \\ \n',
  '~tilde',
  { '~': '~~', list: ['~M', 1, 2] },
  { nested: { list: [1, 'two', null, { three: 3 }] } },
  { nothing: undefined, not: NaN, minus: -0, big: 5n },
  [undefined, new Date(5), new Date(NaN)],
  new Map<unknown, unknown>([
    ['a', new Set([1, '~S'])],
    [{ key: 1 }, new Date(7)],
  ]),
  hole,
  Object.assign([1, 2], { extra: true }),
  Object.assign([1, undefined], { 0: 1, extra: true }),
  cycle(),
  twice(),
  new Point(),
  /re/gi,
  new Error('an error', { cause: 'of it' }),
  new Float64Array([1, 2.5]),
  { bytes: new Uint8Array([1, 2, 3]) },
  Object.create(null, { a: { value: 1, enumerable: true } }),
  JSON.parse('{"__proto__": {"a": 1}, "10": 1, "9": 2}'),
  Array.from({ length: 10_000 }, (_, index) => ({ index })),
  { html: '<p class="note">'.repeat(20_000) },
  { wide: 'Ā'.repeat(8192), at: new Date(5), not: undefined },
  'x'.repeat(500_000),
  'Ā'.repeat(300_000),
]

test('a task and its result are what structured clones of them would be', async () => {
  const { pool } = makePool({ threads: 2 })
  for (const value of values) {
    const result = await pool.run(value)
    expect(result).toStrictEqual(structuredClone(value))
    expect(await pool.run(value, { name: 'later' })).toStrictEqual(structuredClone(value))
  }
})

test('any value comes back as its structured clone', async () => {
  const { pool } = makePool({ threads: 1 })
  const anything = fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withBigInt: true,
    withTypedArray: true,
    withSparseArray: true,
    withUnicodeString: true,
    withNullPrototype: true,
    key: fc.oneof(fc.string(), fc.constantFrom('__proto__', '~', 'toJSON', '0')),
  } as fc.ObjectConstraints)
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { maxLength: 8 }), async (several) => {
      const results = await Promise.all(several.map((value) => pool.run(value)))
      expect(results).toStrictEqual(several.map((value) => structuredClone(value)))
    }),
    { numRuns: 100 },
  )
})

test('a shared reference is one object after the journey, too', async () => {
  const { pool } = makePool({ threads: 1 })
  const result = (await pool.run(twice())) as { first: object; second: object }
  expect(result.first).toBe(result.second)
})

test('bytes of any length come whole, also where they wait for room', async () => {
  const { pool } = makePool({ threads: 1, arenaBytes: 2 ** 20 })
  const lengths = [1, 1000, 70_000, 81_919, 81_921, 200_000, 300_000]
  const all = Array.from({ length: 70 }, (_, index) =>
    new Uint8Array(lengths[index % lengths.length]!).fill(index),
  )
  const results = await Promise.all(all.map((bytes) => pool.run(bytes)))
  for (const [index, bytes] of all.entries()) {
    expect(Buffer.compare(bytes, results[index] as Uint8Array)).toBe(0)
  }
})

test('bytes that just fit a slot stay as they are while they wait for room', async () => {
  const { pool } = makePool({ threads: 1, slotBytes: 240, maxQueue: 100_000 })
  // With eight bytes in front of them, and names in the place of handlers, each of these is a full slot once.
  const lengths = Array.from({ length: 40 }, (_, index) => 200 + index)
  const all = Array.from({ length: 20_000 }, (_, index) =>
    new Uint8Array(lengths[index % lengths.length]!).fill(index),
  )
  const results = await Promise.all(all.map((bytes) => pool.run(bytes)))
  const wrong = all.filter((bytes, index) => Buffer.compare(bytes, results[index] as Uint8Array))
  expect(wrong.length).toBe(0)
})

test('bytes lie where any typed array can be made of them, there and here', async () => {
  const start = Promise.withResolvers<void>()
  const offsets: number[] = []
  const there = (bytes: Uint8Array): Uint8Array => {
    offsets.push(bytes.byteOffset)
    return bytes
  }
  // Names of odd and of even length: until the thread is ready, they are in front of the values.
  const handlers = { default: there, n: there, na: there, nam: there, name: there }
  const pool = makeFakePool(handlers, { arenaBytes: 2 ** 20 }, start.promise)
  // In the slot, at its end, in blocks, in blocks and back by the port, and there by the port as well.
  const lengths = [8, 24, 216, 232, 240, 5_000, 120_000, 400_000]
  const runAll = async (): Promise<void> => {
    const results = Object.keys(handlers).flatMap((name) =>
      lengths.map((length) => pool.run(new Uint8Array(length), { name })),
    )
    start.resolve()
    for (const bytes of (await Promise.all(results)) as Uint8Array[]) offsets.push(bytes.byteOffset)
  }
  await runAll()
  await runAll()
  expect(offsets.filter((offset) => offset % 8 !== 0)).toEqual([])
  expect(offsets.length).toBe(4 * lengths.length * Object.keys(handlers).length)
})

test('bytes come back without what lies around them', async () => {
  const { pool } = makePool({ threads: 1 })
  const around = new Uint8Array(10_000).fill(9)
  const result = (await pool.run(around.subarray(10, 20))) as Uint8Array
  expect(result).toStrictEqual(new Uint8Array(10).fill(9))
  expect(await pool.run(Buffer.from('bytes'))).toStrictEqual(
    new Uint8Array([98, 121, 116, 101, 115]),
  )
})

test('memory that is shared stays shared', async () => {
  const { pool, words } = makePool({ threads: 1 })
  const result = (await pool.run(words)) as Int32Array
  Atomics.store(words, 3, 77)
  expect(result[3]).toBe(77)
  const bytes = new Uint8Array(words.buffer)
  expect(((await pool.run(bytes)) as Uint8Array).buffer).toBeInstanceOf(SharedArrayBuffer)
})

test('a task is what it was when run() was called', async () => {
  const { pool } = makePool({ threads: 1 })
  const bytes = new Uint8Array([1])
  const object = { list: [1] }
  const results = [pool.run(bytes), pool.run(object)]
  bytes[0] = 2
  object.list.push(2)
  expect(await Promise.all(results)).toEqual([new Uint8Array([1]), { list: [1] }])
})

test.each(['wait', 'run-in-caller'] as const)(
  'a task that is too many is what it was when run() was called: %s',
  async (whenFull) => {
    const { pool } = makePool({ threads: 1, maxQueue: 0, whenFull })
    const first = pool.run('first')
    const bytes = new Uint8Array([1])
    const object = { list: [1] }
    const results = [pool.run(bytes), pool.run(object), pool.run('text'), pool.run(new Point())]
    bytes[0] = 2
    object.list.push(2)
    const copies = [new Uint8Array([1]), { list: [1] }, 'text', { x: 1 }]
    expect(await Promise.all(results)).toEqual(copies)
    expect(await codeOf(pool.run(() => 1))).toBe('ERR_VALUE_NOT_CLONEABLE')
    expect(await first).toBe('first')
    expect(pool.pending).toBe(0)
  },
)

test('a value that cannot be cloned is an error that says so', async () => {
  const { pool } = makePool({ threads: 2 })
  expect(await codeOf(pool.run(() => 1))).toBe('ERR_VALUE_NOT_CLONEABLE')
  expect(await codeOf(pool.run({ deep: [Symbol('x')] }))).toBe('ERR_VALUE_NOT_CLONEABLE')
  const many = [pool.run(new Point()), pool.run(() => 1), pool.run(new Point())].map(codeOf)
  expect(await Promise.all(many)).toEqual(['fulfilled', 'ERR_VALUE_NOT_CLONEABLE', 'fulfilled'])
})

test('a value that is cloned does not wait for a thread that is still busy with a task given up', async () => {
  const { pool, reached, open } = makePool({ threads: 2 })
  await Promise.all([nextEvent(pool, 'workerReady'), nextEvent(pool, 'workerReady')])
  for (const word of [1, 2, 3]) {
    const busy = codeOf(pool.run(word, { name: 'gate', timeoutMs: 1 }))
    await reached(word, 1)
    expect(await busy).toBe('ERR_TASK_TIMEOUT')
    expect(await pool.run(new Point())).toEqual({ x: 1 })
    open(word)
  }
})

test('values that are cloned reach a single thread, which may block between them', async () => {
  const { pool } = makePool({ threads: 1 })
  for (let index = 0; index < 300; index++) {
    expect(await pool.run(new Point())).toEqual({ x: 1 })
    const bytes = new Uint8Array([index])
    expect(await pool.run(bytes, { transferList: [bytes.buffer] })).toEqual(new Uint8Array([index]))
    expect(await pool.run(index)).toBe(index)
  }
})

test('a result that cannot be cloned is an error that says so', async () => {
  const { pool } = makePool({ threads: 1 })
  expect(await codeOf(pool.run(undefined, { name: 'unclonable' }))).toBe('ERR_VALUE_NOT_CLONEABLE')
  expect(await pool.run('next')).toBe('next')
})

test('a value that throws while it is read is that error, and its thread lives on', async () => {
  const { pool } = makePool({ threads: 1 })
  for (const name of ['throwsWhenRead', 'throwsWhenReadLater', 'detachedLater'] as const) {
    expect(await codeOf(pool.run(undefined, { name }))).toBe('ERR_VALUE_NOT_CLONEABLE')
  }
  const detached = new Uint8Array(10)
  structuredClone(detached, { transfer: [detached.buffer] })
  expect(await codeOf(pool.run(detached))).toBe('ERR_VALUE_NOT_CLONEABLE')
  expect(pool.metrics()).toMatchObject({ crashes: 0, pending: 0 })
})

// Writing it takes less of the stack than reading it, and stacks differ between threads: somewhere on the way it
// can be written and not be read.
const depths = Array.from({ length: 20 }, (_, step) => Math.round(500 * 1.3 ** step))

function nested(depth: number): unknown {
  let value: unknown = depth
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

test('a task too deep to be read in the thread is an error, at each depth', async () => {
  const { pool } = makePool({ threads: 1, resourceLimits: { stackSizeMb: 1 } })
  // A handler that does not look at it.
  const deep = depths.map((depth) =>
    codeOf(pool.run(nested(depth) as undefined, { name: 'where' })),
  )
  const codes = new Set(await Promise.all(deep))
  expect(codes).toEqual(new Set(['fulfilled', 'ERR_VALUE_NOT_CLONEABLE']))
  expect(await pool.run('next')).toBe('next')
})

test('a task too deep to be read by a thread that blocked for it is an error, at each depth', async () => {
  const { pool } = makePool({ threads: 1, resourceLimits: { stackSizeMb: 1 } })
  const codes = new Set<unknown>()
  for (const depth of depths) {
    // Quick ones, after which it blocks.
    for (let index = 0; index < 5; index++) await pool.run(index)
    codes.add(await codeOf(pool.run(nested(depth) as undefined, { name: 'where' })))
  }
  expect(codes).toEqual(new Set(['fulfilled', 'ERR_VALUE_NOT_CLONEABLE']))
  expect(pool.metrics()).toMatchObject({ crashes: 0, pending: 0 })
})

test('a thread goes on behind a task too deep to be read that was given up, at each depth', async () => {
  const { pool, reached, open } = makePool({ threads: 1, resourceLimits: { stackSizeMb: 1 } })
  for (const [index, depth] of depths.entries()) {
    const [word, later] = [1 + index * 2, 2 + index * 2]
    // Short ones, so that it asks for the values of several at a time.
    for (let count = 0; count < 5; count++) await pool.run(/by the port/)
    const busy = pool.run(later, { name: 'gateLater' })
    await reached(later, 1)
    // An object, which goes by the port, each value in a message of its own.
    const blocking = pool.run(Object(word) as number, { name: 'gate', transferList: [] })
    const controller = new AbortController()
    const { signal } = controller
    const deep = codeOf(
      pool.run(nested(depth) as undefined, { name: 'where', transferList: [], signal }),
    )
    open(later)
    await busy
    await reached(word, 1)
    controller.abort()
    open(word)
    await Promise.all([blocking, deep])
    expect(await pool.run('next')).toBe('next')
  }
})

test('a result too deep to be read here is an error, at each depth', async () => {
  const { pool } = makePool({ threads: 1 })
  const deep = depths.map((depth) => codeOf(pool.run(depth, { name: 'nested' })))
  const codes = new Set(await Promise.all(deep))
  expect(codes).toEqual(new Set(['fulfilled', 'ERR_VALUE_NOT_CLONEABLE']))
  expect(await pool.run('next')).toBe('next')
})

test('what a handler throws keeps class, name, message, stack, code, cause and own data', async () => {
  const { pool } = makePool({ threads: 1 })
  const thrown: unknown = await pool
    .run('custom', { name: 'fail' })
    .catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(RangeError)
  expect(thrown).toMatchObject({
    name: 'CustomError',
    message: 'too much',
    code: 'E_CUSTOM',
    detail: { retryAfter: 3 },
  })
  expect((thrown as Error).stack).toContain('tasks-worker.ts')
  expect((thrown as Error).cause).toBeInstanceOf(TypeError)
  const text: unknown = await pool.run('string', { name: 'fail' }).catch((error: unknown) => error)
  expect(text).toBe('just text')
  expect(await pool.run('function', { name: 'fail' }).catch(String)).toBe('Error: has a function')
})

test('buffers in the transferList are moved to the thread', async () => {
  const { pool } = makePool({ threads: 2 })
  const bytes = new Uint8Array([1, 2, 3])
  const result = pool.run(bytes, { transferList: [bytes.buffer] })
  expect(await result).toEqual(new Uint8Array([1, 2, 3]))
  expect(bytes.byteLength).toBe(0)
})

test('a task that was given up has moved nothing', async () => {
  const { pool, reached, open } = makePool({ threads: 1 })
  const first = pool.run(1, { name: 'gate' })
  await reached(1, 1)
  const bytes = new Uint8Array([1, 2, 3])
  const controller = new AbortController()
  const { signal } = controller
  const second = pool.run(bytes, { transferList: [bytes.buffer], signal })
  controller.abort(new Error('changed my mind'))
  await expect(second).rejects.toThrow('changed my mind')
  open(1)
  await first
  expect(await pool.run('next')).toBe('next')
  expect(bytes.byteLength).toBe(3)
})

test('move() returns buffers from a handler', async () => {
  const { pool } = makePool({ threads: 1 })
  expect(await pool.run(new Uint8Array([4, 5]), { name: 'move' })).toEqual(new Uint8Array([4, 5]))
})

test('move() leaves what other tasks of the thread have got', async () => {
  let kept: Uint8Array | undefined
  const pool = makeFakePool({
    keep: (bytes: Uint8Array) => {
      kept = bytes
    },
    move: (bytes: Uint8Array) => move(bytes),
    moveAround: (bytes: Uint8Array<ArrayBuffer>) => move([bytes], [bytes.buffer]),
  })
  await pool.run(new Uint8Array([1, 2]), { name: 'keep' })
  const bytes = new Uint8Array([3])
  expect(await pool.run(bytes, { name: 'move' })).toEqual(bytes)
  expect(await pool.run(bytes, { name: 'moveAround' })).toEqual([bytes])
  expect(kept).toEqual(new Uint8Array([1, 2]))
})

test('move() moves the bytes of a task that have memory of their own', async () => {
  let seen: Uint8Array | undefined
  const pool = makeFakePool({
    default: (bytes: Uint8Array) => {
      seen = bytes
      return move(bytes)
    },
  })
  const bytes = new Uint8Array(10_000).fill(7)
  expect(await pool.run(bytes)).toEqual(bytes)
  expect(seen?.length).toBe(0)
})

test('a time limit does not keep the value of a task that has ended', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const pool = makeFakePool({ default: (bytes: Uint8Array) => bytes.length })
  const runLarge = async (): Promise<WeakRef<Uint8Array>> => {
    const bytes = new Uint8Array(1_000_000)
    expect(await pool.run(bytes, { timeoutMs: 60_000 })).toBe(bytes.length)
    return new WeakRef(bytes)
  }
  const held = await runLarge()
  // A weak reference holds until the end of the turn in which it was made.
  await new Promise(setImmediate)
  collectGarbage()
  expect(held.deref()).toBe(undefined)
})
