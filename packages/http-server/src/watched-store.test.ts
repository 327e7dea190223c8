import { MemoryTreeStore, TreeError, parseJson, rootPath } from '@elkyn/tree'
import type { Stager, TreeErrorCode, WriteOutcome } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { WatchedStore } from './watched-store.ts'

class FailingStore extends MemoryTreeStore {
  readonly #code: TreeErrorCode

  constructor(code: TreeErrorCode) {
    super()
    this.#code = code
  }

  override commit(): readonly WriteOutcome[] {
    throw new TreeError(this.#code, 'Cannot commit')
  }

  override async write(): Promise<WriteOutcome> {
    throw new TreeError(this.#code, 'Cannot commit')
  }

  override stage(): Stager {
    const fail = (): never => {
      throw new TreeError(this.#code, 'Cannot stage')
    }
    return { write: fail, end: fail, abort: fail }
  }
}

test('WatchedStore tells of each failure, and passes it on', async () => {
  const failures: string[] = []
  const store = new WatchedStore(new FailingStore('ERR_STORE_FAILED'), ({ code }) =>
    failures.push(code),
  )
  expect(() => store.commit([])).toThrow('Cannot commit')
  await expect(store.write({ pairs: [] })).rejects.toThrow('Cannot commit')
  expect(failures).toEqual(['ERR_STORE_FAILED', 'ERR_STORE_FAILED'])
})

test('WatchedStore tells of each failure of a stager, and passes it on', () => {
  const failures: string[] = []
  const store = new WatchedStore(new FailingStore('ERR_STORE_FAILED'), ({ code }) =>
    failures.push(code),
  )
  const stager = store.stage()
  expect(() => stager.write(Buffer.from('1'))).toThrow('Cannot stage')
  expect(() => stager.end()).toThrow('Cannot stage')
  expect(() => stager.abort()).toThrow('Cannot stage')
  expect(failures).toHaveLength(3)
})

test.each(['ERR_STORE_FULL', 'ERR_TOO_MANY_SNAPSHOTS'] as const)(
  'WatchedStore says nothing of %s',
  async (full) => {
    const failures: string[] = []
    const store = new WatchedStore(new FailingStore(full), ({ code }) => failures.push(code))
    await expect(store.write({ pairs: [] })).rejects.toThrow('Cannot commit')
    expect(() => store.stage().end()).toThrow('Cannot stage')
    expect(failures).toEqual([])
  },
)

test('WatchedStore does what the store does', async () => {
  const store = new WatchedStore(new MemoryTreeStore(), () => {})
  const changed: number[] = []
  store.subscribe((changes) => changed.push(changes.length))
  expect(store.commit([{ pairs: [{ path: rootPath, value: parseJson('1') }] }])).toMatchObject([
    { ok: true },
  ])
  const stager = store.stage()
  stager.write(Buffer.from('2'))
  const [staged] = stager.end()
  await store.write({ pairs: [{ path: rootPath, value: staged?.value ?? null }] })
  using snapshot = store.snapshot()
  expect(snapshot.get(rootPath).toJSON()).toBe(2)
  expect(changed).toEqual([1, 1])
  await store.close()
  expect(() => store.snapshot()).toThrow('closed')
})
