import { parseJson, parsePath } from '@elkyn/tree'
import type { TreeStore, WriteOutcome } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import { iterableOf } from '../src/iterable.ts'
import { openLmdb } from './open-lmdb.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Adds one to the number at `/n`. */
function count(store: TreeStore, client: string, number: number): WriteOutcome {
  const value = parseJson('{".sv":{"increment":1}}')
  const [outcome] = store.commit([
    {
      pairs: [{ path: parsePath('/n'), value }],
      idempotencyKey: { client, number, fingerprint: 'f', memo: `memo ${number}` },
    },
  ])
  return outcome!
}

function codeOf(outcome: WriteOutcome): unknown {
  return outcome.ok ? undefined : Reflect.get(outcome.error, 'code')
}

for (const encryptionKey of [undefined, Buffer.alloc(32, 1)]) {
  test(`a write is remembered over restarts and compaction, ${encryptionKey ? 'sealed' : 'as it is'}`, async () => {
    using folder = temporaryFolder()
    const options = { path: folder.path, ...(encryptionKey && { encryptionKey }) }
    let first: WriteOutcome
    {
      await using tree = await openTree(options)
      first = count(tree.store, 'ada', 1)
    }
    for (const between of [async () => {}, async () => compactTree(options)]) {
      await between()
      await using tree = await openTree(options)
      const again = count(tree.store, 'ada', 1)
      expect(again).toMatchObject({ ok: true, repeated: { memo: 'memo 1' } })
      expect(again.ok && first.ok && again.values[0]?.text === first.values[0]?.text).toBe(true)
      expect(again.ok && again.time).toBe(first.ok && first.time)
      expect(tree.get('/n')).toBe(1)
    }
  })
}

test('a write that finds the data full leaves its number unused', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, maxBytes: 0 })
  const large = parseJson(JSON.stringify('x'.repeat(10_000)))
  const idempotencyKey = { client: 'ada', number: 1, fingerprint: 'f' }
  const write = { pairs: [{ path: parsePath('/a'), value: large }], idempotencyKey }
  expect(tree.store.commit([write]).map(codeOf)).toEqual(['ERR_STORE_FULL'])
  expect(codeOf(count(tree.store, 'ada', 2))).toBe('ERR_OUTCOME_UNKNOWN')
})

test('clients that have been idle for longest are forgotten when there are too many', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, clients: { max: 3 } })
  for (const client of ['a', 'b', 'c', 'd']) {
    expect(codeOf(count(tree.store, client, 1))).toBe(undefined)
    // So that each has a time of its own.
    const now = Date.now()
    while (Date.now() === now);
  }
  expect(codeOf(count(tree.store, 'a', 2))).toBe('ERR_OUTCOME_UNKNOWN')
  for (const client of ['b', 'c', 'd']) {
    expect(codeOf(count(tree.store, client, 2))).toBe(undefined)
  }
})

test('clients are forgotten when they have been idle for too long', async () => {
  using folder = temporaryFolder()
  {
    await using tree = await openTree({ path: folder.path })
    for (let client = 0; client < 10; client++) count(tree.store, `${client}`, 1)
  }
  const now = Date.now()
  while (Date.now() === now);
  await using tree = await openTree({ path: folder.path, clients: { maxAgeMs: 0 } })
  // Each write takes at most two away.
  for (let number = 1; number <= 5; number++) count(tree.store, 'ada', number)
  expect(codeOf(count(tree.store, '9', 2))).toBe('ERR_OUTCOME_UNKNOWN')
  expect(codeOf(count(tree.store, 'ada', 6))).toBe(undefined)
})

test('a first write that comes again from a client that was forgotten is refused', async () => {
  using folder = temporaryFolder()
  const options = { path: folder.path, clients: { max: 1, maxForgotten: 2 } }
  for (const between of [async () => {}, async () => compactTree({ path: folder.path })]) {
    await between()
    await using tree = await openTree(options)
    const name = (letter: string): string => `${letter}${tree.stats().changes}`
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(name)
    for (const [index, client] of names.entries()) {
      expect(codeOf(count(tree.store, client, 1))).toBe(undefined)
      // The one before is forgotten now, and at least that one and the one before it are known.
      const known = names.slice(Math.max(0, index - 2), index)
      for (const each of known) {
        expect(codeOf(count(tree.store, each, 1))).toBe('ERR_OUTCOME_UNKNOWN')
      }
      expect(count(tree.store, client, 1)).toMatchObject({ ok: true, repeated: {} })
      const now = Date.now()
      while (Date.now() === now);
    }
    expect(codeOf(count(tree.store, 'new', 1))).toBe(undefined)
  }
})

test.each([
  ['ASCII', 'x', 60_000, 70_000],
  ['characters of three bytes', '語', 20_000, 30_000],
  ['quotes', '"', 15_000, 20_000],
])(
  'values that a write computed are remembered up to 64 KiB of the file (%s)',
  async (_, character, some, many) => {
    using folder = temporaryFolder()
    const write = async (client: string, length: number): Promise<WriteOutcome> => {
      await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
      const text = JSON.stringify({ t: { '.sv': 'timestamp' }, text: character.repeat(length) })
      const idempotencyKey = { client, number: 1, fingerprint: 'f' }
      const pairs = [{ path: parsePath('/a'), value: parseJson(text) }]
      return tree.store.commit([{ pairs, idempotencyKey }])[0]!
    }
    for (const [client, length] of [
      ['some', some],
      ['many', many],
    ] as const) {
      const first = await write(client, length)
      const again = await write(client, length)
      expect(again).toMatchObject({ ok: true, repeated: {} })
      const text = first.ok ? first.values[0]?.text : ''
      expect(again.ok && again.values[0]?.text).toBe(client === 'some' ? text : undefined)
    }
    const lmdb = openLmdb(folder.path)
    const entries = () => lmdb.clients.getRange({ start: Buffer.of(0) }).iterate()
    const sizes = Array.from(iterableOf(entries), ({ value }) => (value as Uint8Array).length)
    expect(Math.max(...sizes)).toBeGreaterThan(32 * 1024)
    expect(Math.max(...sizes)).toBeLessThan(65 * 1024)
    await lmdb.close()
  },
)

test('many clients that write at once are all remembered', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path })
  const write = async (client: string, number: number): Promise<WriteOutcome> =>
    tree.store.write({
      pairs: [{ path: parsePath(`/${client}`), value: number }],
      idempotencyKey: { client, number, fingerprint: `${number}` },
    })
  const clients = Array.from({ length: 200 }, (_, index) => `client${index}`)
  for (const number of [1, 2, 2]) {
    const outcomes = await Promise.all(clients.map(async (client) => write(client, number)))
    expect(outcomes.every(({ ok }) => ok)).toBe(true)
  }
  expect(tree.stats().changes).toBe(400)
})
