import { parseJson, parsePath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { windowEvents } from './window-events.ts'

const now: Readonly<Record<string, string>> = { a: '{"n":1}', b: '{"n":2,"x":3}' }
const large = { ...now, a: `{"n":1,"text":"${'x'.repeat(20_000)}"}` }

/** What is told of writes to children of `/t`, of which `a` and `b` are in the result before and after. */
function told(...writes: (readonly [path: string, json: string])[]): unknown[] {
  return toldOf(now, writes)
}

function toldOf(
  children: Readonly<Record<string, string>>,
  writes: readonly (readonly [path: string, json: string])[],
): unknown[] {
  const changes = writes.map(([path, json]) => {
    return { pairs: [{ path: parsePath(path), value: parseJson(json) }] }
  })
  const keys = new Set(Object.keys(children))
  const steps = windowEvents({
    path: parsePath('/t'),
    form: 'plain',
    before: keys,
    after: keys,
    changes,
    since: '0',
    id: 'now',
    textOf: (key, room) => (children[key]!.length > room ? undefined : children[key]),
    maxLength: 1000,
  })
  // Few keys are looked through without a pause.
  const { value: events } = steps.next()
  return (events ?? []).map(({ name, json, id }) => [name, JSON.parse(json), id])
}

test('a change by itself is told as it came', () => {
  expect(told(['/t/b/x', '3'])).toEqual([['put', { path: '/b/x', data: 3 }, 'now']])
  expect(told(['/t/other/n', '0'])).toEqual([])
})

test('of several changes of one child only what they come to is told', () => {
  // Between the two it was none of those with the least numbers.
  const events = [['put', { path: '/a', data: { n: 1 } }, 'now']]
  expect(told(['/t/a/n', '5'], ['/t/a/n', '1'])).toEqual(events)
})

test('so it is where another child may have been in its place meanwhile', () => {
  expect(told(['/t/c/n', '0'], ['/t/b/x', '3'], ['/t/c/n', '9'])).toEqual([
    ['put', { path: '/b', data: { n: 2, x: 3 } }, 'now'],
  ])
})

test('several children come in one event', () => {
  expect(told(['/t/b/x', '3'], ['/t/a/n', '1'])).toEqual([
    ['patch', { path: '/', data: { b: { n: 2, x: 3 }, a: { n: 1 } } }, 'now'],
  ])
})

test('changes of a large child come one by one, rather than all of it', () => {
  const writes = [
    ['/t/a/n', '5'],
    ['/t/a/n', '1'],
  ] as const
  expect(toldOf(large, writes)).toEqual([
    ['put', { path: '/a/n', data: 5 }, '0'],
    ['put', { path: '/a/n', data: 1 }, 'now'],
  ])
})

test('a change of many children is looked through with pauses', () => {
  const count = 20_000
  const pairs = Array.from({ length: count }, (_, index) => {
    return { path: parsePath(`/t/${index}`), value: parseJson('1') }
  })
  const keys = new Set(['7'])
  const steps = windowEvents({
    path: parsePath('/t'),
    form: 'plain',
    before: keys,
    after: keys,
    changes: [{ pairs }],
    since: '0',
    id: 'now',
    textOf: () => '1',
    maxLength: 1000,
  })
  let pauses = 0
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) pauses++
  // It is looked through for what it bears on, and again for what is told of it.
  expect(pauses).toBeGreaterThanOrEqual(2 * Math.floor(count / 5000))
  expect(step.value).toEqual([{ name: 'put', json: '{"path":"/7","data":1}', id: 'now' }])
})
