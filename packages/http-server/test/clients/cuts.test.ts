import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { MemoryTreeStore, fromJson, parsePath } from '@elkyn/tree'
import { Pool } from 'undici'
import { expect, test, vi } from 'vitest'
import { SimpleHttpServer, ThreadPoolHttpServer } from '../../src/index.ts'
import { findChromium, launchChromium } from './chromium.ts'
import { clients, curlClient } from './clients.ts'
import type { StreamClient } from './clients.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import type { CuttingProxyOptions } from './cutting-proxy.ts'
import { EventLedger } from './event-ledger.ts'
import { Nginx, hasNginx } from './nginx.ts'

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

const hasCurl = spawnSync('curl', ['--version']).status === 0
if (!hasCurl) console.warn('SKIPPED: curl is not installed, so no stream was cut under it')
const isNginxInstalled = hasNginx()
if (!isNginxInstalled) {
  console.warn('SKIPPED: nginx is not installed, so no stream was cut behind it')
}
const chromium = findChromium()
if (chromium === undefined) {
  console.warn('SKIPPED: Chromium is not installed, so no stream was cut under a browser')
}

test.each(Object.keys(clients))('%s misses nothing and gets nothing twice', async (name) => {
  const client = clients[name]
  if (client === undefined) throw new Error(`There is no ${name}`)
  await watchInMemoryUnderCuts(client)
})

test.skipIf(!hasCurl)('curl -N misses nothing and gets nothing twice', async () => {
  await watchInMemoryUnderCuts(curlClient)
})

test.skipIf(chromium === undefined)(
  'the EventSource of a browser misses nothing and gets nothing twice',
  async () => {
    // A page that may ask for what is on this machine.
    await using home = new SimpleHttpServer({ store: new MemoryTreeStore(), port: 0 })
    await home.start()
    await using browser = await launchChromium(chromium ?? '')
    const page = await browser.newPage()
    await page.goto(`${home.address().url}/.health`)
    let take = (_data: string): void => {}
    await page.exposeFunction('takePut', (data: string) => take(data))
    await watchInMemoryUnderCuts((url, onPut) => {
      take = onPut
      void page.evaluate(`
        const source = new EventSource(${JSON.stringify(url)})
        source.addEventListener('put', ({ data }) => takePut(data))`)
      return { [Symbol.dispose]: () => (take = () => {}) }
    })
  },
)

test.skipIf(!isNginxInstalled)(
  'a client behind nginx misses nothing and gets nothing twice',
  async () => {
    await using resources = new AsyncDisposableStack()
    await watchInMemoryUnderCuts(clients['eventsource']!, async (port) => {
      const { socketPath } = resources.use(await Nginx.start(port))
      return { path: socketPath }
    })
  },
)

test('a server with threads loses and doubles nothing either', async () => {
  await using resources = new AsyncDisposableStack()
  const path = await mkdtemp(join(tmpdir(), 'elkyn-cuts-'))
  resources.defer(() => rm(path, { recursive: true }))
  const server = resources.use(
    new ThreadPoolHttpServer({ store: lmdbStorage({ path }), port: 0, threads: 2 }),
  )
  await server.start()
  const { port, url } = server.address()
  const writer = resources.adopt(new Pool(url, { connections: 1 }), (pool) => pool.destroy())
  await watchUnderCuts(clients['eventsource']!, {
    server: { port },
    async add(items) {
      const [sole] = items.length === 1 ? items : []
      // An update of children of the place would be a `patch`, for which nobody listens here.
      const [method, target, value] =
        sole === undefined
          ? (['PATCH', '/log.json', Object.fromEntries(items)] as const)
          : (['PUT', `/log/${sole[0]}.json`, sole[1]] as const)
      const body = JSON.stringify(value)
      const answer = await writer.request({ method, path: target, body })
      expect(await answer.body.text()).toBe(body)
    },
  })
})

async function watchInMemoryUnderCuts(
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
async function watchUnderCuts(client: StreamClient, { server, add }: Watched): Promise<void> {
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
