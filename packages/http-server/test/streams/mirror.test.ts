import { isDeepStrictEqual } from 'node:util'
import process from 'node:process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventClient, ReceivedEvent } from './event-client.ts'
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
  query.map((text) => `/t/.watch${text}`),
)

const chosen = fc.nat(9)
const step = fc.oneof(
  {
    weight: 8,
    // Some streams are cut and go on while it is written.
    arbitrary: fc.record({
      writes: fc.array(write, { minLength: 1, maxLength: 6 }),
      resumed: fc.uniqueArray(chosen, { maxLength: 2 }),
    }),
  },
  { weight: 3, arbitrary: target.map((one) => ({ open: [one] })) },
  {
    weight: 1,
    arbitrary: fc.array(target, { minLength: 2, maxLength: 4 }).map((many) => ({ open: many })),
  },
  { weight: 2, arbitrary: chosen.map((cut) => ({ cut })) },
  { weight: 2, arbitrary: chosen.map((resume) => ({ resume })) },
)

interface Step {
  readonly writes?: readonly Parameters<typeof apply>[1][]
  readonly resumed?: readonly number[]
  readonly open?: readonly string[]
  readonly cut?: number
  readonly resume?: number
}

/** A stream of one target, or of several at once, what it has told so far, and whether it is open. */
class Watch {
  readonly #server: StreamServer
  /** By the name of the subscription, where there are several. */
  readonly #targets: ReadonlyMap<string, string>
  readonly #mirrors: ReadonlyMap<string, Mirror>
  #client: EventClient | undefined

  constructor(server: StreamServer, targets: readonly string[]) {
    this.#server = server
    this.#targets = new Map(targets.map((one, index) => [`s${index}`, one]))
    this.#mirrors = new Map(targets.map((_, index) => [`s${index}`, new Mirror()]))
  }

  get isOpen(): boolean {
    return this.#client?.isEnded === false
  }

  get targets(): Iterable<readonly [target: string, mirror: Mirror]> {
    return Array.from(this.#targets, ([name, one]) => [one, this.#mirrors.get(name)!])
  }

  async cut(): Promise<void> {
    this.#client?.cut()
    await this.#client?.ended()
    this.take()
  }

  /** Cuts it, and goes on behind the last event. */
  async reopen(): Promise<void> {
    await this.cut()
    const lastEventId = this.#client?.lastEventId ?? ''
    const headers: Record<string, string> =
      lastEventId === '' ? {} : { 'last-event-id': lastEventId }
    if (this.#targets.size === 1) {
      this.#client = await this.#server.open(this.#targets.get('s0')!, { headers })
    } else {
      const body = JSON.stringify(Object.fromEntries(this.#targets))
      this.#client = await this.#server.open('/.streams', { method: 'POST', body, headers })
    }
    this.#client.lastEventId = lastEventId
  }

  take(): void {
    for (const event of this.#client?.events.splice(0) ?? []) {
      if (this.#targets.size === 1) this.#mirrors.get('s0')!.apply(event)
      else if (event.event !== 'open') this.#takeNamed(event)
    }
  }

  #takeNamed({ event, data, lastEventId }: ReceivedEvent): void {
    if (event === 'keep-alive') return
    const { subscription, ...told } = JSON.parse(data) as { subscription: string; data: unknown }
    if (event === 'error') throw new Error(`A subscription failed: ${data}`)
    const isValue = event === 'value'
    this.#mirrors.get(subscription)!.apply({
      event: isValue ? 'message' : event,
      data: JSON.stringify(isValue ? told.data : told),
      lastEventId,
    })
  }

  arrival(): Promise<void> {
    return this.#client!.arrival()
  }
}

async function runSteps(server: StreamServer, steps: readonly Step[]): Promise<void> {
  await server.send('DELETE', '/.json')
  const watches: Watch[] = []
  const watchAt = (index: number): Watch | undefined => watches[index % Math.max(watches.length, 1)]
  for (const { writes = [], resumed = [], open, cut, resume } of steps) {
    if (open !== undefined) {
      const watch = new Watch(server, open)
      watches.push(watch)
      await watch.reopen()
    }
    if (cut !== undefined) await watchAt(cut)?.cut()
    if (resume !== undefined) await watchAt(resume)?.reopen()
    const goingOn = new Set(resumed.map(watchAt))
    await Promise.all([
      ...writes.map((one) => apply(server, one)),
      ...Array.from(goingOn, (watch) => watch?.reopen()),
    ])
    for (const watch of watches) if (watch.isOpen) await settle(server, watch)
  }
  for (const watch of watches) {
    await watch.reopen()
    await settle(server, watch)
    await watch.cut()
  }
}

async function apply(
  server: StreamServer,
  { method, path, value: written }: { method: string; path: string; value?: unknown },
): Promise<void> {
  await server.send(method, `/t/${path}.json`, written)
}

/** Waits until the stream has told what is there. Nobody writes meanwhile. */
async function settle(server: StreamServer, watch: Watch): Promise<void> {
  for (const [watched, mirror] of watch.targets) {
    const there = plain(await server.read(watched.replace('/.watch', '.json')))
    for (;;) {
      watch.take()
      if (mirror.hasBegun && isDeepStrictEqual(mirror.value, there)) break
      if (!watch.isOpen) throw new Error(`The stream of ${watched} has ended`)
      await arrivalOrStall(watch, () => {
        return `${watched} is ${JSON.stringify(there)}, was told ${JSON.stringify(mirror.value)}`
      })
    }
  }
}

async function arrivalOrStall(watch: Watch, describe: () => string): Promise<void> {
  // Not an assertion about time: so that a stream that has gone wrong is told from a test that hangs.
  const stall = Promise.withResolvers<never>()
  const timer = setTimeout(() => stall.reject(new Error(describe())), 5000)
  try {
    await Promise.race([watch.arrival(), stall.promise])
  } finally {
    clearTimeout(timer)
  }
}

test.each(serverKinds)(
  'whoever applies the events of a stream has what a GET gives (%s)',
  { timeout: timeoutMs },
  async (kind) => {
    await using server = await StreamServer.start(kind)
    let last = Promise.resolve()
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
        last = runSteps(server, steps)
        await last
      }),
      minutes === 0
        ? { numRuns: 25 }
        : { numRuns: Infinity, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false },
    )
    // When the time is over, fast-check leaves it running, and what it opened then would never be closed.
    await last
    expect(await server.metric('elkyn_stream_events_total')).toBeGreaterThan(0)
  },
)
