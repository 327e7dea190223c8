import { isDeepStrictEqual } from 'node:util'
import process from 'node:process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventClient } from './event-client.ts'
import { Mirror, plain } from './mirror.ts'
import { StreamServer, serverKinds } from './servers.ts'

// ELKYN_TEST_MINUTES searches so long instead of a few runs, all servers together.
const minutes = Number(process.env['ELKYN_TEST_MINUTES'] ?? 0)
const limitMs = (minutes * 60_000) / serverKinds.length
const timeoutMs = limitMs + 120_000

const key = fc.constantFrom('a', 'b', 'c', '1', '2', '10', 'x')
const leaf = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('s', 'tt', true, false))
const record = fc.record({ n: leaf, m: leaf, deep: fc.dictionary(key, leaf) }, { requiredKeys: [] })
const priority = fc.constantFrom(1, 2, 'p', null)
const rankedRecord = fc
  .tuple(record, priority)
  .map(([members, rank]) => Object.assign({}, members, { '.priority': rank }))
const rankedLeaf = fc
  .tuple(leaf, priority)
  .map(([alone, rank]) => ({ '.value': alone, '.priority': rank }))
const value = fc.oneof(
  leaf,
  rankedLeaf,
  rankedRecord,
  record,
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(key, record),
)
const below = fc.oneof(
  key,
  fc.tuple(key, fc.constantFrom('n', 'm', 'deep', 'deep/a')).map((keys) => keys.join('/')),
)

const write = fc.oneof(
  fc.record({ method: fc.constant('PUT'), path: fc.oneof(below, below, fc.constant('')), value }),
  fc.record({ method: fc.constant('DELETE'), path: below }),
  fc.record({
    method: fc.constant('PUT'),
    path: below.map((path) => `${path}/.priority`),
    value: priority,
  }),
  fc
    .uniqueArray(fc.tuple(below, fc.option(value)), {
      minLength: 1,
      maxLength: 4,
      // One may not lie below another one.
      selector: ([path]) => path.split('/')[0],
    })
    .map((members) => ({ method: 'PATCH', path: '', value: Object.fromEntries(members) })),
  fc.record({ method: fc.constant('PATCH'), path: key, value: fc.oneof(record, rankedRecord) }),
)

const bound = fc.oneof(leaf.map(String), fc.constant('"s"'))
const query = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('"n"', '"$value"', '"$key"'),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom('limitToFirst', 'limitToLast'),
    )
    .map(([order, count, limit]) => `?orderBy=${order}&${limit}=${count}`),
  fc
    .tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: 1, max: 3 }))
    .map(([from, count]) => `?orderBy="n"&startAt=${from}&limitToFirst=${count}`),
  fc.integer({ min: -3, max: 3 }).map((from) => `?orderBy="n"&endAt=${from}`),
  bound.map((text) => `?orderBy="n"&equalTo=${/^(?:s|tt)$/.test(text) ? `"${text}"` : text}`),
  fc.constantFrom('?orderBy="$key"&startAt="b"', '?orderBy="$key"&endAt="2"', '?shallow=true'),
  fc.constantFrom('?orderBy="$priority"&limitToLast=2', '?orderBy="$priority"&startAt=1'),
  fc
    .constantFrom('"$priority"', '"n"')
    .map((order) => `?orderBy=${order}&limitToFirst=2&format=export`),
  // Of our own.
  fc.constantFrom(
    '?orderBy="n"&reverse=true&limitToFirst=2',
    '?where={"n":{">=":0}}&reverse=true',
    '?where={"n":{">=":0},"m":{"!=":null}}',
    '?where={"n":{"!=":null}}&orderBy="n"&limitToLast=2&count=true',
    '?count=true',
    '?orderBy="n"&limitToFirst=2&cursor=',
  ),
)
const target = fc.oneof(
  below.map((path) => `/t/${path}.json`),
  fc.constantFrom('/t.json', '/.json', '/t/.watch', '/t/a/.watch', '/t/a/.priority.json'),
  fc.constantFrom('/t.json?format=export', '/t/a.json?format=export', '/t/.watch?format=export'),
  query.map((text) => `/t.json${text}`),
  query.map((text) => `/t.json${text}`),
)

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(write, { minLength: 1, maxLength: 6 }).map((writes) => ({ writes })),
  },
  { weight: 3, arbitrary: target.map((open) => ({ open })) },
  { weight: 2, arbitrary: fc.nat(9).map((cut) => ({ cut })) },
  { weight: 2, arbitrary: fc.nat(9).map((resume) => ({ resume })) },
)

/** A stream, what it has told so far, and whether it is open. */
class Watch {
  readonly target: string
  readonly mirror = new Mirror()
  client: EventClient

  constructor(watched: string, client: EventClient) {
    this.target = watched
    this.client = client
  }

  async cut(): Promise<void> {
    this.client.cut()
    await this.client.ended()
    this.take()
  }

  take(): void {
    for (const event of this.client.events.splice(0)) this.mirror.apply(event)
  }
}

async function runSteps(
  server: StreamServer,
  steps: readonly { writes?: unknown; open?: unknown; cut?: unknown; resume?: unknown }[],
): Promise<void> {
  await server.send('DELETE', '/.json')
  const watches: Watch[] = []
  for (const { writes, open, cut, resume } of steps) {
    if (typeof open === 'string') watches.push(new Watch(open, await server.open(open)))
    const chosen = watches[Number(cut ?? resume) % Math.max(watches.length, 1)]
    if (cut !== undefined && chosen !== undefined) await chosen.cut()
    if (resume !== undefined && chosen !== undefined) await reopen(server, chosen)
    await Promise.all(
      ((writes ?? []) as Parameters<typeof apply>[1][]).map((one) => apply(server, one)),
    )
    for (const watch of watches) if (!watch.client.isEnded) await settle(server, watch)
  }
  for (const watch of watches) {
    await reopen(server, watch)
    await settle(server, watch)
    await watch.cut()
  }
}

async function reopen(server: StreamServer, watch: Watch): Promise<void> {
  await watch.cut()
  const { lastEventId } = watch.client
  const headers: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId }
  watch.client = await server.open(watch.target, { headers })
  watch.client.lastEventId = lastEventId
}

async function apply(
  server: StreamServer,
  { method, path, value: written }: { method: string; path: string; value?: unknown },
): Promise<void> {
  await server.send(method, `/t/${path}.json`, written)
}

/** Waits until the stream has told what is there. Nobody writes meanwhile. */
async function settle(server: StreamServer, watch: Watch): Promise<void> {
  const there = plain(await server.read(watch.target.replace('/.watch', '.json')))
  for (;;) {
    watch.take()
    if (watch.mirror.hasBegun && isDeepStrictEqual(watch.mirror.value, there)) return
    if (watch.client.isEnded) throw new Error(`The stream of ${watch.target} has ended`)
    await arrivalOrStall(watch, there)
  }
}

async function arrivalOrStall(watch: Watch, there: unknown): Promise<void> {
  // Not an assertion about time: so that a stream that has gone wrong is told from a test that hangs.
  const stall = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const known = JSON.stringify(watch.mirror.value)
    stall.reject(new Error(`${watch.target} is ${JSON.stringify(there)}, was told ${known}`))
  }, 5000)
  try {
    await Promise.race([watch.client.arrival(), stall.promise])
  } finally {
    clearTimeout(timer)
  }
}

test.each(serverKinds)(
  'whoever applies the events of a stream has what a GET gives (%s)',
  { timeout: timeoutMs },
  async (kind) => {
    await using server = await StreamServer.start(kind)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
        await runSteps(server, steps)
      }),
      minutes === 0
        ? { numRuns: 25 }
        : { numRuns: Infinity, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false },
    )
    expect(await server.metric('elkyn_stream_events_total')).toBeGreaterThan(0)
  },
)
