import { MemoryTreeStore, TreeError, parseJson, parsePath, rootPath } from '@elkyn/tree'
import type { Path, TreeStore } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommandError } from './command-error.ts'
import { importDocument } from './import-document.ts'
import type { ImportOptions, ImportState } from './import-document.ts'
import { StoreTransport } from './store-transport.ts'
import { Target } from './target.ts'
import type { RestRequest, RestResponse, Transport } from './transport.ts'

/** A store behind a transport that takes one part after the other and fails at one of them. */
class PartTransport implements Transport {
  readonly label = 'test'
  readonly takesAnySize = false
  readonly hasAllDatabases = false
  readonly #inner: StoreTransport
  #partsLeft: number

  constructor(store: TreeStore, failsAfter = Infinity) {
    this.#inner = new StoreTransport('test', treeOf(store))
    this.#partsLeft = failsAfter
  }

  async send(request: RestRequest): Promise<RestResponse> {
    if (this.#partsLeft-- === 0) throw new CommandError('unavailable', 'The line was cut')
    return await this.#inner.send(request)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]()
  }
}

function treeOf(store: TreeStore): ConstructorParameters<typeof StoreTransport>[1] {
  return { store, databases: 'one', close: async () => {} }
}

const defaults: ImportOptions = {
  depth: 0,
  path: rootPath,
  merge: false,
  resumeFrom: undefined,
  toKey: undefined,
  partLength: 1,
}

function createStore(): MemoryTreeStore {
  return new MemoryTreeStore({ now: () => 1_700_000_000_000 })
}

async function* blocksOf(text: string, blockBytes = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += blockBytes) yield bytes.subarray(at, at + blockBytes)
}

async function importText(
  text: string,
  transport: Transport,
  options: Partial<ImportOptions> = {},
  state: ImportState = { next: undefined },
): Promise<void> {
  await importDocument(blocksOf(text), new Target(transport), { ...defaults, ...options }, state)
}

function set(store: TreeStore, path: Path, text: string): void {
  store.commit([{ pairs: [{ path, value: parseJson(text) }] }])
}

function contentOf(store: TreeStore): string {
  using snapshot = store.snapshot()
  return Buffer.from(snapshot.json(rootPath, 'export') ?? []).toString()
}

/** JSON texts of documents with all that a tree knows, and with all that it drops. */
const documents = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom('null', 'true', '-0', '1.5e3', '""', '"é\\n😀"'),
    fc.constantFrom('{".sv":"timestamp"}', '{".value":1,".priority":"p"}'),
    tie('object'),
    tie('array'),
  ),
  object: fc
    .tuple(
      fc.uniqueArray(fc.constantFrom('a', 'b', 'é', '0', '1', '__proto__', ' '), { maxLength: 5 }),
      fc.infiniteStream(tie('value')),
      fc.option(fc.tuple(fc.nat({ max: 5 }), fc.constantFrom('1', '"p"', 'null'))),
    )
    .map(([keys, values, priority]) => {
      const members = keys.map((key) => `${JSON.stringify(key)}: ${values.next().value as string}`)
      if (priority !== null) members.splice(priority[0], 0, `".priority": ${priority[1]}`)
      return `{${members.join(', ')}}`
    }),
  array: fc.array(tie('value'), { maxLength: 5 }).map((items) => `[${items.join(', ')}]`),
})).value

test('importDocument() stores the same in parts of any length as in one write', async () => {
  await fc.assert(
    fc.asyncProperty(documents, fc.integer({ min: 1, max: 60 }), async (text, partLength) => {
      const [model, store] = [createStore(), createStore()]
      set(model, rootPath, text)
      set(store, rootPath, '{"before": 1}')
      await importText(text, new PartTransport(store), { partLength })
      expect(contentOf(store)).toBe(contentOf(model))
    }),
  )
})

test('importDocument() can be resumed wherever it stopped', async () => {
  await fc.assert(
    fc.asyncProperty(documents, fc.nat({ max: 20 }), async (text, failsAfter) => {
      const [model, store] = [createStore(), createStore()]
      set(model, rootPath, text)
      const state: ImportState = { next: undefined }
      try {
        await importText(text, new PartTransport(store, failsAfter), {}, state)
      } catch (error) {
        if (!(error instanceof CommandError)) throw error
        const resumeFrom = state.next === undefined ? undefined : parsePath(state.next)
        await importText(text, new PartTransport(store), { resumeFrom }, state)
      }
      expect(contentOf(store)).toBe(contentOf(model))
    }),
  )
})

test('importDocument() takes the last of members with one name', async () => {
  const store = createStore()
  await importText(
    '{"a": {"x": 1, "y": 2}, "b": 3, "a": {"z": 4, "z": 5}}',
    new PartTransport(store),
  )
  expect(contentOf(store)).toBe('{"a":{"z":5},"b":3}')
})

test('importDocument() puts the document in the place of what is there', async () => {
  const store = createStore()
  set(store, rootPath, '{"old": 1, "p": {"old": 2, "a": {"old": 3}}}')
  await importText('{"a": {"x": 1, "y": 2}}', new PartTransport(store), { path: parsePath('p') })
  expect(contentOf(store)).toBe('{"old":1,"p":{"a":{"x":1,"y":2}}}')
})

test('importDocument() keeps other members when it merges, but not inside those it names', async () => {
  const store = createStore()
  set(store, rootPath, '{"old": 1, "a": {"old": 2}}')
  await importText('{"a": {"x": 1, "y": 2}, "b": 3}', new PartTransport(store), { merge: true })
  expect(contentOf(store)).toBe('{"a":{"x":1,"y":2},"b":3,"old":1}')
})

test('importDocument() refuses to merge what is no object', async () => {
  for (const text of ['[1]', '"text"', 'null']) {
    await expect(
      importText(text, new PartTransport(createStore()), { merge: true }),
    ).rejects.toMatchObject({ code: 'ERR_NOT_AN_OBJECT', line: 1, column: 1 })
  }
})

test('importDocument() stores all or nothing in one write where any size is taken', async () => {
  const store = createStore()
  set(store, rootPath, '{"old": 1}')
  const transport = new StoreTransport('test', treeOf(store))
  await expect(importText('{"a": 1, "b": 2, "a.b": 3}', transport)).rejects.toThrow(TreeError)
  expect(contentOf(store)).toBe('{"old":1}')
  await importText('{"a": 1, "b": [2, 3]}', transport)
  expect(contentOf(store)).toBe('{"a":1,"b":{"0":2,"1":3}}')
})

test('importDocument() refuses to merge a name twice in one write, and stores nothing', async () => {
  const store = createStore()
  set(store, rootPath, '{"old": 1}')
  const transport = new StoreTransport('test', treeOf(store))
  await expect(
    importText('{"a": 1,\n "a": 2, "b.c": 3}', transport, { merge: true }),
  ).rejects.toMatchObject({ code: 'ERR_PATH_CONFLICT', line: 2, column: 2 })
  expect(contentOf(store)).toBe('{"old":1}')
})

test('importDocument() says which key is wrong, and where', async () => {
  const text = '{\n  "é": {"a/b": 1}\n}'
  await expect(importText(text, new PartTransport(createStore()))).rejects.toMatchObject({
    code: 'ERR_INVALID_KEY',
    line: 2,
    column: 9,
    message: expect.stringContaining('"a/b"') as string,
  })
})

test('importDocument() counts the keys of the path it imports to', async () => {
  const store = createStore()
  const path = parsePath('k/'.repeat(31))
  await importText('{"a": 1}', new PartTransport(store), { path, depth: 31 })
  await expect(
    importText('{"a": {"b": 1}}', new PartTransport(store), { path, depth: 31 }),
  ).rejects.toMatchObject({ code: 'ERR_TOO_DEEP', line: 1, column: 8 })
})

test('importDocument() does not resume from where the document has nothing', async () => {
  const store = createStore()
  await expect(
    importText('{"a": 1}', new PartTransport(store), { resumeFrom: parsePath('/b') }),
  ).rejects.toThrow('nothing at')
  expect(contentOf(store)).toBe('')
})
