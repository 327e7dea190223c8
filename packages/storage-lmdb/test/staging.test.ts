import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { HeldValueLimit, MemoryTreeStore, ServerValue, parseJson } from '@elkyn/tree'
import type { StagedPair, Stager, TreeStore, WriteOutcome, WriteValue } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { ChangeLog } from '../src/change-log.ts'
import { openTree } from '../src/index.ts'
import { jsonText, path as anyPath, rowMaxBytes as anyRowMaxBytes } from './arbitraries.ts'
import { openStore } from './open-store.ts'
import { at, read, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function stage(store: TreeStore, json: string | Uint8Array, chunkBytes = Infinity): StagedPair {
  const stager = store.stage()
  const bytes = Buffer.from(json)
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    stager.write(bytes.subarray(start, start + chunkBytes))
  }
  return stager.end()[0]!
}

function write(store: TreeStore, path: string, value: WriteValue): WriteOutcome {
  return store.commit([{ pairs: [{ path: at(path), value }] }])[0]!
}

/** Nothing is left of a tree that was deleted, nor of what was staged and thrown away. */
async function expectNothing(store: ReturnType<typeof openStore>): Promise<void> {
  write(store, '/', null)
  expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0 })
}

test('a staged value is what the same text is otherwise, wherever it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        before: jsonText,
        path: anyPath,
        json: jsonText,
        chunkBytes: fc.integer({ min: 1, max: 50 }),
        heldMaxBytes: fc.integer({ min: 0, max: 60 }),
        rowMaxBytes: anyRowMaxBytes,
      }),
      async ({ before, path, json, chunkBytes, heldMaxBytes, rowMaxBytes }) => {
        using folder = temporaryFolder()
        await using store = openStore({ path: folder.path, heldMaxBytes, rowMaxBytes })
        let now = 0
        const model = new MemoryTreeStore({ now: () => now })
        for (const [place, text] of [
          ['/', before],
          [path, json],
        ] as const) {
          const outcome = write(store, place, stage(store, text, chunkBytes).value)
          now = outcome.ok ? outcome.time : now
          const wanted = write(model, place, parseJson(text))
          expect(outcome.ok).toBe(wanted.ok)
        }
        expect(read(store, '/', 'export')).toBe(read(model, '/', 'export'))
        expect(read(store, '/')).toBe(read(model, '/'))
        await expectNothing(store)
      },
    ),
  )
})

test('other writes between the chunks change nothing of that, though they carry its rows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        json: jsonText,
        // Of each chunk its length, and whether a write follows.
        chunks: fc.infiniteStream(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.boolean())),
        heldMaxBytes: fc.integer({ min: 0, max: 30 }),
        rowMaxBytes: anyRowMaxBytes,
      }),
      async ({ json, chunks, heldMaxBytes, rowMaxBytes }) => {
        using folder = temporaryFolder()
        await using store = openStore({ path: folder.path, heldMaxBytes, rowMaxBytes })
        const bytes = Buffer.from(json)
        const stager = store.stage()
        let writes = 0
        for (let start = 0; start < bytes.length;) {
          const [length, isWritten] = chunks.next().value as [number, boolean]
          stager.write(bytes.subarray(start, start + length))
          if (isWritten) write(store, '/other', ++writes)
          start += length
        }
        write(store, '/other', null)
        const outcome = write(store, '/x', stager.end()[0]!.value)
        const model = new MemoryTreeStore({ now: () => (outcome.ok ? outcome.time : 0) })
        write(model, '/x', parseJson(json))
        expect(read(store, '/', 'export')).toBe(read(model, '/', 'export'))
        await expectNothing(store)
      },
    ),
  )
})

/** Begins an object of some 100 KB, which wait for a commit of others. */
function beginWaiting(store: TreeStore): Stager {
  const stager = store.stage()
  const members = Array.from({ length: 100 }, (_, index) => `"${index}":"${'x'.repeat(1000)}"`)
  stager.write(Buffer.from(`{${members.join()}`))
  return stager
}

test('a commit of others takes rows along that wait for one', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, heldMaxBytes: 1000 })
  const stager = beginWaiting(store)
  expect(store.stats().graves).toBe(0)
  write(store, '/other', 1)
  expect(store.stats()).toMatchObject({ graves: 1, commits: { count: 1 } })
  expect(store.stats().rows).toBeGreaterThan(90)
  expect(read(store, '/')).toBe('{"other":1}')
  stager.write(Buffer.from('}'))
  write(store, '/x', stager.end()[0]!.value)
  expect(read(store, '/x/99')).toBe(JSON.stringify('x'.repeat(1000)))
  await expectNothing(store)
})

test('a commit that calls a function carries nothing, so that it is never tried again', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, heldMaxBytes: 1000 })
  const stager = beginWaiting(store)
  write(store, '/other', () => 1)
  expect(store.stats()).toMatchObject({ rows: 1, graves: 0 })
  stager.abort()
})

test('rows that wait are not stored any more once their value is thrown away', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, heldMaxBytes: 1000 })
  const stager = beginWaiting(store)
  stager.abort()
  write(store, '/other', 1)
  expect(await reclaimed(store)).toMatchObject({ rows: 1, graves: 0 })
  // Dropped without a word, before or after they were carried.
  beginWaiting(store)
  for (let round = 0; round < 3; round++) {
    collectGarbage()
    await setImmediate()
  }
  write(store, '/other', 2)
  while (store.stats().graves > 0) {
    collectGarbage()
    await setImmediate()
  }
  expect(store.stats()).toMatchObject({ rows: 1, graves: 0 })
})

test('writes that fit are not kept from it by rows that do not', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, heldMaxBytes: 1000, maxBytes: 100_000 })
  const stager = beginWaiting(store)
  for (let round = 0; round < 3; round++) expect(write(store, '/other', round).ok).toBe(true)
  expect(store.stats().graves).toBe(0)
  expect(() => stager.end()).toThrow(
    expect.objectContaining({ code: expect.any(String) as string }),
  )
})

test('a value that is small enough to be held makes no commit of its own', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  await reclaimed(tree)
  await setImmediate()
  const snapshot = tree.store.snapshot()
  stage(tree.store, JSON.stringify({ a: 'x'.repeat(100_000) }))
  const update = tree.store.stage({ kind: 'update' })
  update.write(Buffer.from('{"a":null,"b/c":[1]}'))
  update.end()
  await setImmediate()
  expect(tree.stats().oldestSnapshotCommits).toBe(0)
  snapshot.close()
})

test('a priority stays on a staged leaf whose value is computed', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  write(store, '/x', parseJson('{"n":{".value":2,".priority":"old"}}'))
  const leaf = '{".value":{".sv":{"increment":5}},".priority":7}'
  write(store, '/x', stage(store, `{"n":${leaf},"text":"${'x'.repeat(200)}"}`).value)
  expect(read(store, '/x/n', 'export')).toBe('{".value":7,".priority":7}')
})

test('a body of tens of megabytes in odd chunks is read back as it was', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const { store } = tree
  const stager = store.stage()
  const sent = createHash('sha256')
  const send = (text: string) => {
    const bytes = Buffer.from(text)
    sent.update(bytes)
    for (let start = 0; start < bytes.length; start += 7919) {
      stager.write(bytes.subarray(start, start + 7919))
    }
  }
  send('{"list":[')
  for (let index = 0; index < 100_000; index++) {
    send(
      `${index === 0 ? '' : ','}{"id":${index},"name":"record ${index}","text":"${'é'.repeat(100)}"}`,
    )
  }
  send(`],"long":"${'x'.repeat(9_000_000)}"}`)
  write(store, '/big', stager.end()[0]!.value)
  using snapshot = store.snapshot()
  const received = createHash('sha256')
  for (const block of snapshot.jsonBlocks(at('/big')) ?? []) received.update(block)
  expect(received.digest('hex')).toBe(sent.digest('hex'))
  expect(read(store, '/big/list/77777/name')).toBe('"record 77777"')
})

test('other writes go on between the chunks, and nothing of it shows before it is written', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  write(store, '/a', parseJson('{"kept":1}'))
  const stager = store.stage()
  stager.write(Buffer.from('{"0":0'))
  for (let index = 1; index < 2000; index++) {
    stager.write(Buffer.from(`,"${index}":"${'x'.repeat(50)}"`))
    if (index % 100 === 0) write(store, `/other/${index}`, index)
    if (index % 500 === 0) await setImmediate()
    expect(read(store, '/a')).toBe('{"kept":1}')
  }
  stager.write(Buffer.from('}'))
  write(store, '/a', stager.end()[0]!.value)
  expect(read(store, '/a/1999')).toBe(JSON.stringify('x'.repeat(50)))
  expect(read(store, '/a/kept')).toBe(undefined)
  expect(read(store, '/other/1900')).toBe('1900')
  await expectNothing(store)
})

test('what was staged and thrown away leaves nothing', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  await reclaimed(store)
  await setImmediate()
  const started = store.stage()
  started.write(Buffer.from(`{"a":{"b":["${'x'.repeat(3_000_000)}","${'y'.repeat(3_000_000)}"`))
  expect(store.stats().graves).toBe(1)
  started.abort()
  const ended = store.stage({ kind: 'update' })
  ended.write(Buffer.from(`{"a/b":["${'x'.repeat(200)}"],"c":{"d":"${'y'.repeat(200)}"}}`))
  ended.end()
  ended.abort()
  ended.abort()
  expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0 })
})

test('what was staged and is dropped without a word leaves nothing', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  dropStaged(store)
  expect(store.stats().graves).toBeGreaterThan(2)
  while (store.stats().graves > 0) {
    collectGarbage()
    await setImmediate()
  }
  expect(store.stats().rows).toBe(3)
  expect(read(store, '/')).toBe(`{"x":["${'x'.repeat(200)}"]}`)
})

/** In a function of its own, so that nothing holds what it leaves. */
function dropStaged(store: TreeStore): void {
  const unfinished = store.stage()
  unfinished.write(Buffer.from(`{"a":{"b":["${'x'.repeat(3_000_000)}"`))
  const { value: refused } = stage(store, `["${'x'.repeat(200)}"]`)
  store.commit([{ pairs: [{ path: at('/x'), value: refused }], judge: () => new Error('no') }])
  stage(store, `["${'x'.repeat(200)}"]`)
  write(store, '/x', stage(store, `["${'x'.repeat(200)}"]`).value)
}

test('what is being staged, or is staged and not written, when its store closes leaves nothing', async () => {
  using folder = temporaryFolder()
  await using other = openStore({ path: folder.path })
  const store = openStore({ path: folder.path, heldMaxBytes: 100 })
  const text = JSON.stringify(Array.from({ length: 20_000 }, (_, index) => `item ${index}`))
  const stager = store.stage()
  stager.write(Buffer.from(text.slice(0, -10)))
  const whole = stage(store, text)
  expect(other.stats().rows).toBeGreaterThan(0)
  await store.close()
  expect(() => stager.end()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }))
  stager.abort()
  expect(whole.value).toBeTruthy()
  await expectNothing(other)
})

test('what is held of a body keeps nothing else of it', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  for (const kind of ['value', 'update'] as const) {
    const stager = store.stage({ kind })
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < 400; index++) {
      const member = `"k${String(index).padStart(14, '0')}":"0123456789abcdef"`
      stager.write(Buffer.from(`${index === 0 ? '{' : ','}${member}${' '.repeat(65_000)}`))
    }
    collectGarbage()
    // 26 MB of body.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8_000_000)
    stager.abort()
  }
  const stager = store.stage()
  stager.write(Buffer.from('"'))
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 30; index++) stager.write(Buffer.from('\\n'.repeat(50_000)))
  collectGarbage()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(12_000_000)
  stager.abort()
})

test('a fault in the middle leaves nothing', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  await reclaimed(store)
  await setImmediate()
  const stager = store.stage()
  stager.write(Buffer.from(`{"a":"${'x'.repeat(3_000_000)}","b":{"c":"${'x'.repeat(100)}"`))
  expect(() => stager.write(Buffer.from(',"bad.key":1'))).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_KEY' }),
  )
  expect(() => stager.write(Buffer.from('}'))).toThrow(TypeError)
  stager.abort()
  expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0 })
})

test('a value of which nothing remains leaves nothing', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  await reclaimed(store)
  await setImmediate()
  const long = JSON.stringify('x'.repeat(100))
  expect(stage(store, `{"a":${long},"b":{"c":${long},"c":null},"a":{}}`).value).toBe(null)
  const update = store.stage({ kind: 'update' })
  update.write(Buffer.from(`{"a":{"b":${long},"b":null},"c":[${long}],"c":1}`))
  expect(update.end().map(({ value }) => value)).toEqual([1, null])
  expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0 })
})

test.each([40, undefined])(
  'no more server values are taken than the limit says, and nothing stays of what had more (%s)',
  async (heldMaxBytes) => {
    using folder = temporaryFolder()
    await using store = openStore({
      path: folder.path,
      ...(heldMaxBytes === undefined ? {} : { heldMaxBytes }),
    })
    const times = Array.from({ length: 60 }, () => ({ '.sv': 'timestamp' }))
    const sums = Array.from({ length: 40 }, () => ({ '.sv': { increment: 1 } }))
    const json = JSON.stringify({ a: 1, times, sums })
    const code = 'ERR_TOO_MANY_VALUES'
    for (const kind of ['value', 'update'] as const) {
      const few = store.stage({ kind, heldValues: new HeldValueLimit(kind === 'value' ? 99 : 102) })
      const column = json.lastIndexOf('.sv')
      expect(() => {
        few.write(Buffer.from(json))
        few.end()
      }).toThrow(expect.objectContaining({ code, line: 1, column }))
      const enough = store.stage({ kind, heldValues: new HeldValueLimit(103) })
      enough.write(Buffer.from(json))
      enough.end()
      enough.abort()
    }
    await expectNothing(store)
  },
)

test('a container that comes twice is replaced with all that was under it', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, rowMaxBytes: 30 })
  const list = JSON.stringify(Array.from({ length: 500 }, (_, index) => `item ${index}`))
  const json = `{"a":{"list":${list}},"b":1,"a":{"x":${list},"x":{"y":2}},"b":${list},"b":3}`
  write(store, '/', stage(store, json, 1000).value)
  expect(read(store, '/')).toBe('{"a":{"x":{"y":2}},"b":3}')
  expect((await reclaimed(store)).rows).toBeLessThan(10)
})

test('a refused staged value can be written again, and no value twice', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  const { value } = stage(store, `{"a":"${'x'.repeat(100)}"}`)
  const pair = { path: at('/x'), value }
  const refused = store.commit([
    { pairs: [pair], judge: () => new Error('no') },
    { pairs: [pair], precondition: { path: at('/x'), etag: 'wrong' } },
    { pairs: [pair, { path: at('/y'), value: () => undefined }] },
  ])
  expect(refused.map(({ ok }) => ok)).toEqual([false, false, false])
  expect(read(store, '/')).toBe(undefined)
  const outcomes = store.commit([{ pairs: [pair] }, { pairs: [{ path: at('/y'), value }] }])
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, false])
  expect(outcomes[1]).toMatchObject({ error: expect.any(TypeError) as Error })
  expect(read(store, '/')).toBe(`{"x":{"a":"${'x'.repeat(100)}"}}`)
})

test('a staged value whose commit failed can be written again, and thrown away', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  const text = `["${'x'.repeat(100)}"]`
  const failing = async (value: WriteValue) => {
    const flush = vi.spyOn(ChangeLog.prototype, 'flush').mockImplementationOnce(() => {
      throw new Error('the disk')
    })
    await expect(store.write({ pairs: [{ path: at('/x'), value }] })).rejects.toThrow('the disk')
    flush.mockRestore()
  }
  const { value } = stage(store, text)
  await failing(value)
  expect(write(store, '/x', value).ok).toBe(true)
  await failing(value)
  expect(write(store, '/y', value).ok).toBe(false)
  expect(read(store, '/')).toBe(`{"x":${text}}`)
  const stager = store.stage()
  stager.write(Buffer.from(text))
  const [thrownAway] = stager.end()
  await failing(thrownAway!.value)
  stager.abort()
  expect(write(store, '/y', thrownAway!.value).ok).toBe(false)
  await expectNothing(store)
})

test('a value that another store staged is refused', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  using elsewhere = temporaryFolder()
  await using other = openStore({ path: elsewhere.path })
  const ofOther = stage(other, `["${'x'.repeat(100)}"]`).value
  for (const stranger of [{ staged: 'elsewhere' }, ofOther]) {
    expect(write(store, '/x', stranger)).toMatchObject({
      ok: false,
      error: expect.any(TypeError) as Error,
    })
  }
  expect(read(store, '/')).toBe(undefined)
  expect(write(other, '/x', ofOther).ok).toBe(true)
})

test('a value that was thrown away is refused, also by a write that waits', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  const stager = store.stage()
  stager.write(Buffer.from(`["${'x'.repeat(100)}"]`))
  const [{ value }] = stager.end() as [StagedPair]
  const waiting = store.write({ pairs: [{ path: at('/x'), value }] })
  stager.abort()
  for (const outcome of [await waiting, write(store, '/x', value)]) {
    expect(outcome).toMatchObject({ ok: false, error: expect.any(TypeError) as Error })
  }
  await expectNothing(store)
})

test('increments in a staged value add to what is there when it is written', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, rowMaxBytes: 40 })
  write(store, '/', parseJson('{"a":{"n":1,"m":{"k":10}},"p":{".value":1,".priority":3}}'))
  const long = 'x'.repeat(100)
  const by = (increment: number) => JSON.stringify({ '.sv': { increment } })
  const { value } = stage(
    store,
    `{"a":{"n":${by(1)},"m":{"k":${by(5)},"new":${by(2)},"t":{".sv":"timestamp"}},"text":"${long}"},` +
      `"p":{".priority":${by(4)},"q":"${long}"}}`,
    11,
  )
  store.commit([{ pairs: [{ path: at('/a/n'), value: new ServerValue(100) }] }])
  const outcome = write(store, '/', value)
  const time = outcome.ok ? outcome.time : 0
  expect(read(store, '/', 'export')).toBe(
    `{"a":{"m":{"k":15,"new":2,"t":${time}},"n":102,"text":"${long}"},"p":{".priority":7,"q":"${long}"}}`,
  )
})

test('a stager of a closed store says so', async () => {
  using folder = temporaryFolder()
  const store = openStore({ path: folder.path })
  const stager = store.stage()
  stager.write(Buffer.from('{"a":['))
  await store.close()
  expect(() => stager.write(Buffer.from(`"${'x'.repeat(3_000_000)}",1`))).toThrow(
    expect.objectContaining({ code: 'ERR_STORE_CLOSED' }),
  )
})
