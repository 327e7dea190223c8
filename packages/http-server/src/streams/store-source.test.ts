import { MemoryTreeStore, rootPath } from '@elkyn/tree'
import { expect, test, vi } from 'vitest'
import { StreamedAnswers } from '../streamed-answers.ts'
import { StoreSource } from './store-source.ts'

test('others have their turn while many children are looked at', async () => {
  const turn = new AbortController()
  function* countSteps(): Generator<undefined, number, void> {
    setImmediate(() => turn.abort())
    const tooLong = performance.now() + 1000
    while (!turn.signal.aborted && performance.now() < tooLong) yield
    return 7
  }
  const store = new MemoryTreeStore()
  const snapshot = store.snapshot()
  const result = snapshot.query(rootPath, { orderBy: '$key' })
  vi.spyOn(store, 'snapshot').mockReturnValue(snapshot)
  vi.spyOn(snapshot, 'query').mockReturnValue({ ...result, countSteps })
  const query = { query: { orderBy: '$key' }, shape: 'count' } as const
  const target = { path: rootPath, shownPath: rootPath, form: 'plain', query } as const
  const { events } = await new StoreSource(store, new StreamedAnswers(1)).run({ target })
  expect(String(events[0]?.json)).toBe('{"path":"/","data":7}')
  expect(turn.signal.aborted).toBe(true)
})
