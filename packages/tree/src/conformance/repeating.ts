import { parseJson } from '../parse.ts'
import type { IdempotencyKey, TreeStore, TreeWrite, WriteOutcome } from '../store.ts'
import { accepted, codeOf, commit, read, refused, set } from './fixture.ts'
import type { Suite } from './fixture.ts'

function keyed(number: number, write: TreeWrite, more: Partial<IdempotencyKey> = {}): TreeWrite {
  const idempotencyKey = { client: 'client', number, fingerprint: 'x', ...more }
  return { ...write, idempotencyKey }
}

/** Adds one to the number at `a`, and shows the time. */
const count: TreeWrite = set(
  'a',
  parseJson('{"n":{".sv":{"increment":1}},"t":{".sv":"timestamp"}}'),
)

function shown(outcome: WriteOutcome | undefined): unknown {
  const { sequence, time, values } = accepted(outcome)
  return { sequence, time, values: values.map((value) => value?.text) }
}

export function describeRepeating({ describe, test, expect }: Suite): void {
  describe('idempotency keys', () => {
    test('a write that comes again has the same outcome, and is not applied again', (store) => {
      const first = commit(store, keyed(1, count, { memo: 'kept' }))
      expect(accepted(first).repeated).toBe(undefined)
      const again = commit(store, keyed(1, count, { memo: 'new' }))
      expect(shown(again)).toEqual(shown(first))
      expect(accepted(again).repeated).toEqual({ memo: 'kept' })
      expect(read(store, 'a/n')).toBe('1')
    })

    test('the same holds for writes that wait together', async (store) => {
      const writes = [keyed(1, count), keyed(1, count), keyed(2, count), keyed(2, count)]
      const outcomes = await Promise.all(writes.map(async (write) => store.write(write)))
      expect(shown(outcomes[1])).toEqual(shown(outcomes[0]))
      expect(shown(outcomes[3])).toEqual(shown(outcomes[2]))
      expect(read(store, 'a/n')).toBe('2')
    })

    test('a write that comes again is neither judged nor held to its condition', (store) => {
      const write = keyed(1, { ...set('a', 1), precondition: nothingThere })
      const judge = (): Error => new Error('not again')
      const first = commit(store, write)
      expect(shown(commit(store, { ...write, judge }))).toEqual(shown(first))
    })

    test('a write that is refused leaves its number unused', (store) => {
      const write = keyed(1, { ...set('a', 1), judge: () => new Error('no') })
      expect(commit(store, write).ok).toBe(false)
      expect(commit(store, keyed(1, set('b', 2), { fingerprint: 'y' })).ok).toBe(true)
    })

    test('a write that changes nothing uses its number', (store) => {
      expect(shown(commit(store, keyed(1, { pairs: [] })))).toEqual(
        shown(commit(store, keyed(1, { pairs: [] }))),
      )
      expect(commit(store, keyed(2, set('a', 1))).ok).toBe(true)
    })

    test('another write under the last number is refused', (store) => {
      commit(store, keyed(1, count))
      const other = commit(store, keyed(1, count, { fingerprint: 'y' }))
      expect(codeOf(other)).toBe('ERR_IDEMPOTENCY_KEY_REUSED')
      expect(read(store, 'a/n')).toBe('1')
    })

    test('a number that does not follow the last one is refused', (store) => {
      expect(codeOf(commit(store, keyed(2, count)))).toBe('ERR_OUTCOME_UNKNOWN')
      commit(store, keyed(1, count))
      commit(store, keyed(2, count))
      for (const number of [1, 4]) {
        expect(codeOf(commit(store, keyed(number, count)))).toBe('ERR_OUTCOME_UNKNOWN')
      }
      expect(read(store, 'a/n')).toBe('2')
    })

    test('clients count by themselves', (store) => {
      commit(store, keyed(1, count, { client: 'ada' }))
      commit(store, keyed(1, count, { client: 'grace' }))
      expect(read(store, 'a/n')).toBe('2')
    })

    test('what is no idempotency key is refused, and harms no other write', (store) => {
      const long = 'x'.repeat(1025)
      const wrong: Partial<Record<keyof IdempotencyKey, unknown>>[] = [
        ...['', 'a/b', 'é', 'x'.repeat(129), 'x'.repeat(5000), 5, undefined].map((client) => ({
          client,
        })),
        ...[0, 1.5, -1, '1', undefined].map((number) => ({ number })),
        ...[long, 5, undefined].map((fingerprint) => ({ fingerprint })),
        ...[long, 5].map((memo) => ({ memo })),
      ]
      for (const [index, more] of wrong.entries()) {
        const write = keyed(1, count, more as Partial<IdempotencyKey>)
        const [outcome, other] = store.commit([write, set('b', index)])
        const { error } = refused(outcome)
        // Those that something beneath throws have a code.
        expect([more, error instanceof TypeError, codeOf(outcome)]).toEqual([more, true, undefined])
        accepted(other)
      }
      expect(read(store, '/')).toBe(`{"b":${wrong.length - 1}}`)
    })

    test('a large value that was computed comes again as it was, or is left to be read', (store) => {
      const write = keyed(1, set('a', parseJson(`{"t":{".sv":"timestamp"},"x":"${longText}"}`)))
      const first = accepted(commit(store, write)).values[0]?.text
      const again = accepted(commit(store, write)).values[0]?.text
      expect(again ?? read(store, 'a')).toBe(first)
    })

    test('a large value that comes again is thrown away', (store) => {
      expect(commit(store, keyed(1, set('a', staged(store, 'one')))).ok).toBe(true)
      const again = commit(store, keyed(1, set('a', staged(store, 'one'))))
      expect(accepted(again).values.length).toBe(1)
      expect(read(store, 'a/0')).toBe('"one"')
    })
  })
}

const longText = 'x'.repeat(70_000)
const nothingThere = { path: '/a' as never, etag: 'null_etag' }

function staged(store: TreeStore, text: string): ReturnType<typeof take> {
  return take(store, JSON.stringify(Array.from({ length: 200 }, () => text.repeat(1))))
}

function take(store: TreeStore, json: string) {
  const stager = store.stage()
  stager.write(new TextEncoder().encode(json))
  return stager.end()[0]!.value
}
