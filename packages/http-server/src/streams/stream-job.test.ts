import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTree } from '@elkyn/storage-lmdb'
import { fromJson, parsePath } from '@elkyn/tree'
import type { TreeStore } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { runStreamJob } from './stream-job.ts'
import type { StreamTarget } from './stream-target.ts'

async function opened() {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-stream-job-'))
  const tree = await openTree({ path })
  return {
    store: tree.store,
    [Symbol.asyncDispose]: async () => {
      await tree.close()
      await rm(path, { recursive: true })
    },
  }
}

// What is as it was before would be no change.
let written = 0

/** @returns the id of the last change. */
function put(store: TreeStore, path: string, count = 1): string {
  const place = parsePath(path, { priority: true })
  const writes = Array.from({ length: count }, () => {
    return { pairs: [{ path: place, value: fromJson(++written) }] }
  })
  store.commit(writes)
  const snapshot = store.snapshot()
  const id = store.idOf(snapshot.sequence)
  snapshot.close()
  return id!
}

const query: StreamTarget = {
  path: parsePath('/q'),
  shownPath: parsePath('/q'),
  form: 'plain',
  query: { query: { orderBy: '$key' }, shape: 'value' },
}

test('who watches a query is told nothing when much has changed elsewhere, and then what has changed there', async () => {
  await using at = await opened()
  const { store } = at
  let since = put(store, '/q/a')
  put(store, '/p', 2500)
  for (const [path, isTold] of [
    ['/q2', false],
    ['/r/q', false],
    ['/r/.priority', false],
    ['/q/a', true],
    ['/q/a/.priority', true],
    ['/q/.priority', true],
    ['/q', true],
    ['/', true],
  ] as const) {
    put(store, '/p', 10)
    const last = put(store, path)
    const { events, isWhole, id } = runStreamJob(store, { target: query, since })
    expect([path, events.length, isWhole, id]).toEqual([path, isTold ? 1 : 0, isTold, last])
    since = last
  }
})

test('who watches a query is told it anew when too much has changed there to look through', async () => {
  await using at = await opened()
  const { store } = at
  const job = { target: query, known: { keys: Buffer.from('a') }, since: put(store, '/q/a') }
  put(store, '/q/a', 1000)
  expect(runStreamJob(store, job)).toMatchObject({ isWhole: false })
  put(store, '/q/a', 1500)
  expect(runStreamJob(store, job)).toMatchObject({ isWhole: true })
})

test('only what the log does not reach back to is lost, not what it does not carry', async () => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  const large = fromJson('x'.repeat(1_500_000))
  store.commit([{ pairs: [{ path: parsePath('/q/b'), value: large }] }])
  const { query: _query, ...followed } = query
  for (const target of [query, followed]) {
    expect(runStreamJob(store, { target, since })).toMatchObject({ isWhole: true, isLost: false })
    const job = { target, since: 'elsewhere-1-1' }
    expect(runStreamJob(store, job)).toMatchObject({ isWhole: true, isLost: true })
  }
})
