import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTree } from '@elkyn/storage-lmdb'
import { fromJson, parsePath } from '@elkyn/tree'
import type { TreeStore, TreeWrite } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonEventText } from './event-frame.ts'
import { maxFramedBytes } from './framed-events.ts'
import { streamJobSteps } from './stream-job.ts'
import type { StreamJob, StreamResult } from './stream-job.ts'

const key = fc.constantFrom('a', 'ab', 'b', 'ä', 'q"', 'r\\s', '\u2028', '😀', '1')
const path = fc
  .array(key, { maxLength: 3 })
  .map((keys) => parsePath(keys.map((name) => `/${name}`).join('') || '/'))
const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 300 }))
const json = fc.oneof(
  leaf,
  fc.dictionary(key, leaf),
  fc.constantFrom(null, { '.value': 1, '.priority': 2 }, [1, 'ü'.repeat(200)]),
)
const pair = fc.oneof(
  fc.tuple(path, json),
  fc.tuple(
    path.map((place) => parsePath(`${place}/.priority`, { priority: true })),
    fc.constantFrom(1, 'p', null),
  ),
)
const write: fc.Arbitrary<TreeWrite> = fc
  .oneof(
    { weight: 4, arbitrary: fc.tuple(pair) },
    {
      weight: 1,
      // None may lie below another one.
      arbitrary: fc.tuple(
        json.map((value) => [parsePath('/a/b'), value] as const),
        json.map((value) => [parsePath('/b'), value] as const),
      ),
    },
  )
  .map((pairs) => ({ pairs: pairs.map(([at, value]) => ({ path: at, value: fromJson(value) })) }))

/** What is missed at a place comes in one step. */
function missed(store: TreeStore, job: StreamJob): StreamResult {
  return streamJobSteps(store, job).next().value!
}

test('what was missed is the same framed as told one by one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'elkyn-framed-'))
  await using tree = await openTree({ path: folder, durability: 'relaxed' })
  const { store } = tree
  let count = 0
  fc.assert(
    fc.property(
      fc.array(write, { minLength: 1, maxLength: 20 }),
      path,
      fc.constantFrom('plain', 'export'),
      (writes, watched, form) => {
        using snapshot = store.snapshot()
        const since = store.idOf(snapshot.sequence)
        store.commit(writes)
        const job: StreamJob = { target: { path: watched, shownPath: watched, form }, since }
        const { events, ...told } = missed(store, job)
        const { framed, ...rest } = missed(store, { ...job, framedBytes: maxFramedBytes })
        const texts = events.map(({ name, json: data, id }) =>
          jsonEventText(name!, Buffer.from(data).toString(), id!),
        )
        expect(Buffer.from(framed!.bytes).toString()).toBe(texts.join(''))
        expect({ ...rest, count: framed!.count }).toEqual({
          ...told,
          events: [],
          count: texts.length,
        })
        count += texts.length
      },
    ),
    { numRuns: 200 },
  )
  expect(count).toBeGreaterThan(100)
  await rm(folder, { recursive: true })
})
