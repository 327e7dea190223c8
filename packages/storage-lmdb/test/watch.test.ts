import { setImmediate } from 'node:timers/promises'
import { parseJson } from '@elkyn/tree'
import type { Change } from '@elkyn/tree'
import { expect, test, vi } from 'vitest'
import { openTree } from '../src/index.ts'
import type { Tree, TreeEvent } from '../src/index.ts'
import { at } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Takes so many events. */
async function take(events: AsyncIterable<TreeEvent>, count: number): Promise<TreeEvent[]> {
  const taken: TreeEvent[] = []
  for await (const event of events) {
    taken.push(event)
    if (taken.length === count) break
  }
  return taken
}

function shown(events: readonly TreeEvent[]): [path: string, value: unknown][] {
  return events.map(({ path, value }) => [path, value])
}

async function openWatched(folder: { readonly path: string }): Promise<Tree> {
  return openTree({ path: folder.path, durability: 'relaxed', rowMaxBytes: 60 })
}

test('watch() gives the value and then each change at, above and below the path', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  tree.setSync('/', { a: { b: { c: 1 } }, x: 1 })
  const events = tree.watch('/a/b')[Symbol.asyncIterator]()
  const first = await events.next()
  tree.setSync('/a/b/c', 2)
  tree.setSync('/x', 2)
  tree.setSync('/a', { b: { d: [true] }, q: 1 })
  tree.setSync('/a/b/.priority', 5)
  tree.updateSync('/', { 'a/b/e': 'e', x: 3, 'a/b/f/g': 'f' })
  tree.deleteSync('/a')
  const later = await take({ [Symbol.asyncIterator]: () => events }, 5)
  expect(shown([first.value as TreeEvent, ...later])).toEqual([
    ['/', { c: 1 }],
    ['/c', 2],
    ['/', { d: [true] }],
    ['/e', 'e'],
    ['/f/g', 'f'],
    ['/', null],
  ])
  expect([first.value as TreeEvent, ...later].map(({ sequence }) => sequence)).toEqual([
    1, 2, 4, 6, 6, 7,
  ])
})

test('watch() calls a function with each event until it is stopped', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const seen: unknown[] = []
  const stop = tree.watch('/a', ({ value }) => {
    seen.push(value)
  })
  while (seen.length < 1) await setImmediate()
  for (let value = 1; value <= 3; value++) {
    tree.setSync('/a', value)
    while (seen.length <= value) await setImmediate()
  }
  stop()
  stop()
  tree.setSync('/a', 4)
  const after = await take(tree.watch('/a'), 1)
  await setImmediate()
  expect(seen).toEqual([null, 1, 2, 3])
  expect(shown(after)).toEqual([['/', 4]])
})

test('watch() continues behind an event, also after a restart', async () => {
  using folder = temporaryFolder()
  const ids: string[] = []
  {
    await using tree = await openWatched(folder)
    tree.setSync('/a/first', 1)
    const events = tree.watch('/a')[Symbol.asyncIterator]()
    await events.next()
    for (let value = 2; value <= 6; value++) {
      tree.setSync(`/a/n${value}`, value)
      const { value: event } = await events.next()
      ids.push((event as TreeEvent).id!)
    }
    await events.return?.()
  }
  await using tree = await openWatched(folder)
  tree.setSync('/a/last', 7)
  for (const [index, since] of ids.entries()) {
    const missed = await take(tree.watch('/a', { since }), ids.length - index)
    expect(shown(missed)).toEqual([
      ...[3, 4, 5, 6].slice(index).map((value) => [`/n${value}`, value]),
      ['/last', 7],
    ])
  }
})

test('watch() continues in the middle of a change', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const [before] = await take(tree.watch('/'), 1)
  expect(before?.id).toBe(tree.store.idOf(0))
  const following = tree.watch('/l')[Symbol.asyncIterator]()
  await following.next()
  tree.updateSync('/', { 'l/a': 1, x: 1, 'l/b': 2, 'l/c': 3, y: 1 })
  const live = await take({ [Symbol.asyncIterator]: () => following }, 3)
  expect(shown(live)).toEqual([
    ['/a', 1],
    ['/b', 2],
    ['/c', 3],
  ])
  tree.setSync('/l/d', 4)
  for (const [index, { id }] of live.entries()) {
    const missed = await take(tree.watch('/l', { since: id }), 3 - index)
    expect(shown(missed)).toEqual([...shown(live.slice(index + 1)), ['/d', 4]])
  }
})

test('watch() gives the value where the log does not know the event', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({
    path: folder.path,
    durability: 'relaxed',
    log: { maxBytes: 0 },
  })
  tree.setSync('/a', 1)
  const [event] = await take(tree.watch('/a'), 1)
  const since = event!.id!
  tree.setSync('/a', 2)
  for (const unknown of [
    since,
    '',
    'x',
    '---',
    `${since}x`,
    since.replace(/^./, '~'),
    'e-99-1',
    'e--1-1',
  ]) {
    expect(shown(await take(tree.watch('/a', { since: unknown }), 1))).toEqual([['/', 2]])
  }
})

test('a listener hears of changes that are not kept, under an id that no change has', async () => {
  using folder = temporaryFolder()
  const log = { maxBytes: 0 }
  await using tree = await openTree({ path: folder.path, durability: 'relaxed', log })
  await using writer = await openTree({ path: folder.path, durability: 'relaxed', log })
  const heard: Change[] = []
  tree.store.subscribe((changes) => heard.push(...changes))
  for (let value = 1; value <= 20; value++) writer.setSync('/a', value)
  while (heard.at(-1)?.sequence !== 20) await setImmediate()
  const [lost, ...kept] = heard
  expect(lost).toMatchObject({ sequence: 19, pairs: [{ path: '/', value: undefined }] })
  expect(kept.map(({ sequence }) => sequence)).toEqual([20])
  expect(lost!.id).not.toBe(kept[0]!.id)
  const since = lost!.id
  expect(shown(await take(tree.watch('/a', { since }), 1))).toEqual([['/', 20]])
})

test('watch() of a folder that was copied and continued starts over', async () => {
  using folder = temporaryFolder()
  using copy = temporaryFolder()
  const { cpSync } = await import('node:fs')
  const origin = await openWatched(folder)
  origin.setSync('/a', 1)
  const [common] = await take(origin.watch('/a'), 1)
  await origin.close()
  cpSync(folder.path, copy.path, { recursive: true })
  await using one = await openWatched(folder)
  await using other = await openWatched(copy)
  one.setSync('/a', 'one')
  other.setSync('/a', 'other')
  const [ofOne] = await take(one.watch('/a'), 1)
  const [ofOther] = await take(other.watch('/a'), 1)
  expect(ofOne!.sequence).toBe(ofOther!.sequence)
  expect(shown(await take(one.watch('/a', { since: common!.id! }), 1))).toEqual([['/', 'one']])
  one.setSync('/a/x', 1)
  other.setSync('/a/x', 2)
  expect(shown(await take(one.watch('/a', { since: ofOne!.id! }), 1))).toEqual([['/x', 1]])
  expect(shown(await take(other.watch('/a', { since: ofOne!.id! }), 1))).toEqual([['/', { x: 2 }]])
})

test('a reader that falls behind gets the value as it is', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const events = tree.watch('/')[Symbol.asyncIterator]()
  await events.next()
  tree.store.commit(
    Array.from({ length: 1500 }, (_, index) => ({ pairs: [{ path: at('/n'), value: index }] })),
  )
  const { value: event } = await events.next()
  expect(event).toMatchObject({ path: '/', value: { n: 1499 }, sequence: 1500 })
  tree.setSync('/n', 'next')
  expect((await events.next()).value).toMatchObject({ path: '/n', value: 'next' })
  await events.return?.()
})

test('a change too large for the log gives way to the value as it is', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const above = tree.watch('/')[Symbol.asyncIterator]()
  const below = tree.watch('/big/small')[Symbol.asyncIterator]()
  const beside = tree.watch('/beside')[Symbol.asyncIterator]()
  for (const events of [above, below, beside]) await events.next()
  tree.setSync('/big', { small: 1, large: 'x'.repeat(1_200_000) })
  tree.setSync('/beside', 2)
  expect((await below.next()).value).toMatchObject({ path: '/', value: 1 })
  expect((await beside.next()).value).toMatchObject({ path: '/', value: 2 })
  expect((await above.next()).value).toMatchObject({ path: '/', sequence: 2 })
  for (const events of [above, below, beside]) await events.return?.()
})

test('an aborted watch ends, waiting or not', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const stop = new AbortController()
  const seen: TreeEvent[] = []
  const waiting = (async () => {
    for await (const event of tree.watch('/', { signal: stop.signal })) seen.push(event)
  })()
  while (seen.length === 0) await setImmediate()
  stop.abort()
  await waiting
  expect(await take(tree.watch('/', { signal: stop.signal }), 1)).toEqual([])
  tree.watch('/', () => seen.push(...seen), { signal: stop.signal })
  tree.setSync('/a', 1)
  await setImmediate()
  expect(seen.length).toBe(1)
})

test('a reader that is many large events behind gets the value as it is', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const events = tree.watch('/')[Symbol.asyncIterator]()
  await events.next()
  for (let index = 0; index < 20; index++) tree.setSync(`/n${index}`, 'x'.repeat(1_000_000))
  const [whole] = await take({ [Symbol.asyncIterator]: () => events }, 1)
  expect([whole?.path, whole?.sequence]).toEqual(['/', 20])
  expect(Object.keys(whole?.value as object)).toHaveLength(20)
})

test('close() ends what watches', async () => {
  using folder = temporaryFolder()
  const tree = await openWatched(folder)
  const seen: TreeEvent[] = []
  const waiting = (async () => {
    for await (const event of tree.watch('/')) seen.push(event)
  })()
  tree.watch('/a', (event) => seen.push(event))
  while (seen.length < 2) await setImmediate()
  await tree.close()
  await waiting
  expect(seen.length).toBe(2)
})

test('a closed tree can not be watched', async () => {
  using folder = temporaryFolder()
  const tree = await openWatched(folder)
  await tree.close()
  const closed: unknown = expect.objectContaining({ code: 'ERR_STORE_CLOSED' })
  await expect(take(tree.watch('/'), 1)).rejects.toThrow(closed)
  expect(() => tree.watch('/', () => {})).toThrow(closed)
})

test('a watch has read the value when it returns, and ends when the tree is closed at once', async () => {
  using folder = temporaryFolder()
  const tree = await openWatched(folder)
  tree.setSync('/a', 1)
  const heard: unknown[] = []
  const failed: unknown[] = []
  tree.watch('/a', ({ value }) => heard.push(value), { onError: (error) => failed.push(error) })
  const events = tree.watch('/a')
  const first = events[Symbol.asyncIterator]().next()
  tree.setSync('/a', 2)
  tree.setSync('/a', 3)
  expect(await first).toMatchObject({ value: { value: 1 } })
  while (heard.length < 3) await setImmediate()
  expect(heard).toEqual([1, 2, 3])
  const looped: unknown[] = []
  const loop = (async () => {
    for await (const { value } of tree.watch('/a')) looped.push(value)
  })()
  tree.watch('/a', ({ value }) => heard.push(value), { onError: (error) => failed.push(error) })
  await tree.close()
  await loop
  expect(looped).toEqual([3])
  expect(heard).toEqual([1, 2, 3, 3])
  expect(failed).toEqual([])
})

test('a watch may begin within a transaction, and reads the value behind it', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const heard: unknown[] = []
  // oxlint-disable-next-line elkyn/transaction-returns-nothing -- the tree's own method of that name takes a value
  tree.transactionSync('/a', () => {
    tree.watch('/a', ({ value }) => heard.push(value))
    return 1
  })
  while (heard.length === 0) await setImmediate()
  expect(heard).toEqual([1])
})

test('a watch can be used as generators are', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  {
    await using events = tree.watch('/a')[Symbol.asyncIterator]() as AsyncGenerator<TreeEvent>
    for await (const { value } of events) {
      expect(value).toBe(null)
      break
    }
    expect(await events.next()).toEqual({ done: true, value: undefined })
  }
  const thrown = tree.watch('/a')[Symbol.asyncIterator]()
  await thrown.next()
  await expect(thrown.throw?.(new Error('mine'))).rejects.toThrow('mine')
  expect(await thrown.next()).toEqual({ done: true, value: undefined })
})

test('a function is not called any more once its watch was stopped', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const heard: unknown[] = []
  tree.watch('/a', ({ value }) => heard.push(['first', value]))()
  const stop = tree.watch('/a', ({ value }) => {
    heard.push(['second', value])
    if (value === 1) stop()
  })
  tree.setSync('/a', 1)
  tree.setSync('/a', 2)
  while (heard.length < 2) await setImmediate()
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  expect(heard).toEqual([
    ['second', null],
    ['second', 1],
  ])
})

test('a loop can be left while it waits, and an aborted one keeps nothing', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const events = tree.watch('/a')[Symbol.asyncIterator]()
  await events.next()
  const waiting = [events.next(), events.next()]
  expect(await events.return?.()).toEqual({ done: true, value: undefined })
  expect(await Promise.all(waiting)).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
  const subscribe = vi.spyOn(tree.store, 'subscribe')
  const unsubscribed: number[] = []
  subscribe.mockImplementation(() => () => unsubscribed.push(1))
  const stop = new AbortController()
  const aborted = tree.watch('/a', { signal: stop.signal })[Symbol.asyncIterator]()
  await aborted.next()
  expect(unsubscribed).toEqual([])
  stop.abort()
  expect(unsubscribed).toEqual([1])
  expect(await aborted.next()).toEqual({ done: true, value: undefined })
})

test('what ends the watch of a function is told to onError, once', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const heard: unknown[] = []
  tree.watch(
    '/a',
    ({ value }) => {
      heard.push(value)
      if (value === 1) throw new Error('one')
    },
    { onError: resolve },
  )
  while (heard.length === 0) await setImmediate()
  tree.setSync('/a', 1)
  expect(await promise).toEqual(new Error('one'))
  tree.setSync('/a', 2)
  // A later watch has heard of both before this one could hear of the second.
  expect(shown(await take(tree.watch('/a'), 1))).toEqual([['/', 2]])
  expect(heard).toEqual([null, 1])
})

test('a listener that throws fails alone, and the write stays', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const errors: unknown[] = []
  const heard: number[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', (error) => errors.push(error))
  try {
    tree.store.subscribe(() => {
      throw new Error('listener')
    })
    tree.store.subscribe((changes) => heard.push(changes.length))
    tree.setSync('/a', 1)
    while (errors.length === 0) await setImmediate()
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  expect(errors).toEqual([new Error('listener')])
  expect(heard).toEqual([1])
  expect(tree.get('/a')).toBe(1)
})

test('what subscribe() says is what the log says', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const heard: unknown[] = []
  tree.store.subscribe((changes) => {
    for (const { id, sequence, pairs } of changes) {
      heard.push([id, sequence, pairs.map(({ path, value }) => [path, value?.text])])
    }
  })
  tree.setSync('/start', 1)
  tree.store.commit([
    { pairs: [{ path: at('/a'), value: parseJson('{"b":[1,{"c":"é"}],".priority":3}') }] },
    { pairs: [{ path: at('/a'), value: parseJson('{"b":[1,{"c":"é"}],".priority":3}') }] },
    { pairs: [{ path: at('/a/.priority'), value: 'p' }] },
    {
      pairs: [
        { path: at('/start'), value: 1 },
        { path: at('/x'), value: null },
      ],
    },
    {
      pairs: [
        { path: at('/start'), value: 2 },
        { path: at('/x'), value: null },
      ],
    },
    { pairs: [{ path: at('/long'), value: 'x'.repeat(1_200_000) }] },
  ])
  const events = tree.watch('/', { since: (heard[0] as [string])[0] })[Symbol.asyncIterator]()
  expect(heard.map((change) => (change as unknown[]).slice(1))).toEqual([
    [1, [['/start', '1']]],
    [2, [['/a', '{".priority":3,"b":{"0":1,"1":{"c":"é"}}}']]],
    [3, [['/a/.priority', '"p"']]],
    [4, [['/start', '2']]],
    [5, [['/long', undefined]]],
  ])
  expect((await events.next()).value).toMatchObject({ path: '/', sequence: 5 })
  await events.return?.()
})

test('what changes elsewhere wakes no watch, and what changes in it wakes it behind that', async () => {
  using folder = temporaryFolder()
  await using tree = await openWatched(folder)
  const large = 'x'.repeat(1_200_000)
  const seen: unknown[] = []
  tree.watch('/a', ({ value }) => seen.push(value))
  while (seen.length < 1) await setImmediate()
  // A watch that waits keeps its thread alive by a timer, anew each time it has looked.
  const waits = vi.spyOn(globalThis, 'setInterval')
  try {
    for (let value = 1; value <= 5; value++) {
      tree.setSync('/b', value)
      await setImmediate()
    }
    expect(waits).not.toHaveBeenCalled()
  } finally {
    waits.mockRestore()
  }
  const changes = [
    // Before, between and behind what is elsewhere in the same change,
    { a: 1, b: 6 },
    { b: 7, a: 2, c: 7 },
    { b: 8, a: 3 },
    // and one that is too large for the log and gives way to the value as it is.
    { b: 9, a: large },
  ]
  for (const change of changes) {
    const count = seen.length
    tree.updateSync('/', change)
    while (seen.length === count) await setImmediate()
    tree.setSync('/b', 0)
    await setImmediate()
  }
  expect(seen).toEqual([null, 1, 2, 3, large])
})
