import process from 'node:process'
import { MemoryTreeStore, fromJson, parsePath } from '@elkyn/tree'
import { expect, vi } from 'vitest'
import { SimpleHttpServer } from '../../src/index.ts'
import type { StreamClient } from './clients.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import type { CuttingProxyOptions } from './cutting-proxy.ts'
import { EventLedger } from './event-ledger.ts'

// `ELKYN_TEST_CUTS` and `ELKYN_TEST_SEED` set how many and which; a failure tells the seed. `ELKYN_TEST_MINUTES` goes
// on for so long, all clients together.
const cuts = Number(process.env['ELKYN_TEST_CUTS'] ?? 1000)
const seed = Number(process.env['ELKYN_TEST_SEED'] ?? Date.now() % 1_000_000)
const minutes = Number(process.env['ELKYN_TEST_MINUTES'] ?? 0)
const cuttings = 7
const leastMs = (minutes * 60_000) / cuttings
// Only there to end a test that hangs.
vi.setConfig({ testTimeout: Math.max(120_000, cuts * 200) + leastMs })
console.info(`Cuts of connections: ${cuts} for each client, seed ${seed}`)

// More than the head of an answer has, so that a cut may fall anywhere from there on.
const maxBytes = 1000
// So many events are behind a client that comes back, at most.
const lead = 30
// So many are of one change each time, between which a cut may fall too.
const together = 3

/** The same, of a server with a store in memory, which `way` may lead to. */
export async function watchInMemoryUnderCuts(
  client: StreamClient,
  way?: (port: number) => Promise<Watched['server']>,
): Promise<void> {
  const store = new MemoryTreeStore()
  await using server = new SimpleHttpServer({ store, port: 0, closeStore: true })
  await server.start()
  const { port } = server.address()
  await watchUnderCuts(client, {
    server: (await way?.(port)) ?? { port },
    async add(items) {
      const pairs = items.map(([place, number]) => {
        return { path: parsePath(`/log/${place}`), value: fromJson(number) }
      })
      await store.write({ pairs })
    },
  })
}

interface Watched {
  /** Where the streams come from. */
  readonly server: CuttingProxyOptions['server']
  /** Adds to the list, in one change. */
  readonly add: (items: readonly (readonly [place: string, number: number])[]) => Promise<void>
}

/** Adds to a list as fast as a client follows, while its connections are cut, and looks at what it was told. */
export async function watchUnderCuts(
  client: StreamClient,
  { server, add }: Watched,
): Promise<void> {
  const random = randomNumbers(seed)
  const nextBytes = (): number => Math.floor(random() * maxBytes)
  await using proxy = await CuttingProxy.start({ server, nextBytes })
  const ledger = new EventLedger()
  using resources = new DisposableStack()
  const url = `http://127.0.0.1:${proxy.port}/log.json`
  resources.use(client(url, (data) => ledger.take(data)))
  const end = performance.now() + leastMs
  let written = 0
  while ((proxy.cuts < cuts || performance.now() < end) && ledger.faults.length === 0) {
    await add([[`e${++written}`, written]])
    // Of places deeper down each is told by an event of its own.
    const items = Array.from({ length: together }, () => [`e${++written}/n`, written] as const)
    await add(items)
    await ledger.reached(written - lead)
  }
  proxy.stop()
  await ledger.reached(written)
  expect({ faults: ledger.faults, seed }).toEqual({ faults: [], seed })
}

/** Numbers from 0 to 1 that are the same for the same seed: https://en.wikipedia.org/wiki/Xorshift */
function randomNumbers(from: number): () => number {
  let state = (from | 0) + 0x9e37_79b9
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
