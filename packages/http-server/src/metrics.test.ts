import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { MemoryTreeStore } from '@elkyn/tree'
import type { TreeStoreStats } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { ObservedStore } from '../test/observed-store.ts'
import { SimpleHttpServer } from './index.ts'
import type { SimpleHttpServerOptions } from './index.ts'
import { MetricsPage } from './metrics-page.ts'
import { RequestMeter } from './metrics-meter.ts'
import { StreamMeter } from './streams/stream-meter.ts'

async function start(options: Partial<SimpleHttpServerOptions> = {}): Promise<SimpleHttpServer> {
  const store = new MemoryTreeStore()
  const server = new SimpleHttpServer({ store, port: 0, closeStore: true, ...options })
  await server.start()
  return server
}

/** What is shown under a name, labels included. */
async function read(url: string): Promise<(name: string) => string | undefined> {
  const answer = await fetch(url)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const page = await answer.text()
  return (name) =>
    page
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1)
}

test('/.metrics counts requests by method and status, and how long they took', async () => {
  await using server = await start({ metrics: true })
  const { url } = server.address()
  await fetch(`${url}/a.json`, { method: 'PUT', body: '1' })
  await fetch(`${url}/a.json`)
  await fetch(`${url}/b`)
  const value = await read(`${url}/.metrics`)
  expect(value('elkyn_http_requests_total{method="GET",status="200"}')).toBe('1')
  expect(value('elkyn_http_requests_total{method="GET",status="404"}')).toBe('1')
  expect(value('elkyn_http_requests_total{method="PUT",status="200"}')).toBe('1')
  expect(value('elkyn_http_request_duration_seconds_bucket{le="+Inf",method="GET"}')).toBe('2')
  expect(value('elkyn_http_request_duration_seconds_count{method="PUT"}')).toBe('1')
  // The one that asks.
  expect(value('elkyn_http_requests_in_flight')).toBe('1')
  expect(Number(value('elkyn_http_connections'))).toBeGreaterThanOrEqual(1)
  expect(Number(value('process_resident_memory_bytes'))).toBeGreaterThan(1e6)
  expect(Number(value('nodejs_eventloop_lag_p99_seconds'))).toBeGreaterThanOrEqual(0)
  const again = await read(`${url}/.metrics?x=1`)
  expect(again('elkyn_http_requests_total{method="GET",status="200"}')).toBe('2')
})

test('/.metrics counts a request whose client went away, and a connection refused', async () => {
  const store = new ObservedStore()
  await using server = await start({ store, metrics: { port: 0 } })
  const { port } = server.address()
  const metrics = `${server.metricsAddress().url}/.metrics`
  const release = store.holdWrites()
  const socket = connect(port, '127.0.0.1')
  socket.write('DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await store.writeBegun()
  expect((await read(metrics))('elkyn_http_requests_in_flight')).toBe('1')
  // Not just its end: it could still wait for the answer then.
  socket.resetAndDestroy()
  for (;;) {
    const value = await read(metrics)
    if (value('elkyn_http_requests_aborted_total') !== '1') continue
    expect(value('elkyn_http_requests_in_flight')).toBe('0')
    break
  }
  release()
  const nonsense = connect(port, '127.0.0.1').end('nonsense\r\n\r\n').resume()
  await once(nonsense, 'close')
  const value = await read(metrics)
  expect(value('elkyn_http_connections_rejected_total{status="400"}')).toBe('1')
})

test('metrics are shown to nobody unless they are asked for', async () => {
  await using server = await start()
  const answer = await fetch(`${server.address().url}/.metrics`)
  expect([answer.status, await answer.json()]).toEqual([
    404,
    { error: 'Metrics are not shown here' },
  ])
  expect(() => server.metricsAddress()).toThrow(
    expect.objectContaining({ code: 'ERR_SERVER_NOT_LISTENING' }),
  )
})

test('/.metrics beside the tree may be asked for by its whole URL, and about', async () => {
  await using server = await start({ metrics: true })
  const { url, port } = server.address()
  expect((await fetch(`${url}/.metrics`, { method: 'OPTIONS' })).status).toBe(204)
  for (const [target, answer] of [
    [`${url}/.metrics`, /^HTTP\/1\.1 200 OK\r\n.*elkyn_http_connections/s],
    ['nonsense/.metrics', /^HTTP\/1\.1 400 /],
  ] as const) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(await text(socket)).toMatch(answer)
  }
})

test('what says nowhere where metrics are to be shown is refused', () => {
  for (const metrics of [9464, 'yes', null]) {
    const options = { store: new MemoryTreeStore(), metrics: metrics as unknown as true }
    expect(() => new SimpleHttpServer(options)).toThrow('the option metrics is true, false or')
  }
})

test('a listener of their own shows metrics and health, and nothing else', async () => {
  await using server = await start({ metrics: { port: 0 } })
  const { url, host } = server.metricsAddress()
  expect(host).toBe('127.0.0.1')
  expect((await fetch(`${server.address().url}/.metrics`)).status).toBe(404)
  expect((await read(`${url}/.metrics`))('elkyn_http_connections')).toBe('1')
  expect(await (await fetch(`${url}/.health`)).json()).toEqual({ status: 'ok' })
  expect((await fetch(`${url}/a.json`)).status).toBe(404)
  for (const path of ['/.metrics', '/.health', '/.metrics?x=1', '/.health?x=1']) {
    const status = async (method: string): Promise<number> =>
      (await fetch(url + path, { method })).status
    expect(await status('GET')).toBe(200)
    expect(await status('PUT')).toBe(405)
    expect(await status('OPTIONS')).toBe(204)
  }
  await server.close()
  await expect(fetch(`${url}/.metrics`)).rejects.toThrow(TypeError)
})

test('start() may be tried again when one of the two addresses was taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const store = new MemoryTreeStore()
  await using server = new SimpleHttpServer({ store, port, metrics: { port: 0 } })
  await expect(server.start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await using shown = new SimpleHttpServer({ store, port: 0, metrics: { port } })
  await expect(shown.start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  other.close()
  await once(other, 'close')
  await server.start()
  await expect(shown.start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await server.close()
  await shown.start()
  expect(shown.metricsAddress().port).toBe(port)
})

test('start() fails while another one is under way, and takes nothing from it', async () => {
  const listened: Server[] = []
  const note = (message: unknown): void => {
    listened.push((message as { server: Server }).server)
  }
  subscribe('tracing:net.server.listen:asyncEnd', note)
  const store = new MemoryTreeStore()
  await using server = new SimpleHttpServer({ store, port: 0, metrics: { port: 0 } })
  const starts = await Promise.allSettled([server.start(), server.start()])
  unsubscribe('tracing:net.server.listen:asyncEnd', note)
  expect(starts).toMatchObject([
    { status: 'fulfilled' },
    { status: 'rejected', reason: { code: 'ERR_SERVER_STARTED' } },
  ])
  expect(await (await fetch(`${server.metricsAddress().url}/.health`)).json()).toEqual({
    status: 'ok',
  })
  await server.close()
  expect(listened.map(({ listening }) => listening)).toEqual([false, false])
})

const pool = {
  name: 'readers',
  threads: { ready: 4, starting: 1, stopping: 0 },
  waiting: 7,
  completed: 100,
  failed: 2,
  rejected: 3,
  cancelled: 4,
  lost: 1,
  crashes: 1,
  wait: { count: 100, mean: 2, p50: 1, p90: 3, p99: 10 },
  run: { count: 100, mean: 5, p50: 4, p90: 8, p99: 20 },
  workers: [{ thread: 0, busyMs: 1500 }],
}

test('MetricsPage shows what store and pools say, and nothing of what they leave out', async () => {
  const page = new MetricsPage()
  const eventLoopDelay = monitorEventLoopDelay()
  const store: TreeStoreStats = {
    commits: { count: 3, writes: 12, bySize: [1, 0, 1, 1] },
    rows: 5,
    oldestSnapshotCommits: 0,
  }
  const streams = new StreamMeter()
  const facts = { meter: new RequestMeter(), store, pools: [pool], streams, eventLoopDelay }
  const lines = (await page.text(facts)).split('\n')
  for (const line of [
    'elkyn_store_commit_writes_bucket{le="1"} 1',
    'elkyn_store_commit_writes_bucket{le="4"} 2',
    'elkyn_store_commit_writes_bucket{le="8"} 3',
    'elkyn_store_commit_writes_bucket{le="+Inf"} 3',
    'elkyn_store_commit_writes_sum 12',
    'elkyn_store_commit_writes_count 3',
    'elkyn_store_rows 5',
    'elkyn_store_oldest_snapshot_commits 0',
    'elkyn_pool_threads{pool="readers",state="starting"} 1',
    'elkyn_pool_queue_depth{pool="readers"} 7',
    'elkyn_pool_tasks_total{pool="readers",outcome="failed"} 2',
    'elkyn_pool_tasks_total{pool="readers",outcome="cancelled"} 4',
    'elkyn_pool_busy_seconds_total{pool="readers",thread="0"} 1.5',
    'elkyn_pool_wait_seconds{pool="readers",quantile="0.99"} 0.01',
    'elkyn_pool_run_seconds_total{pool="readers"} 0.5',
    'nodejs_eventloop_lag_mean_seconds 0',
    '# TYPE elkyn_store_commit_writes histogram',
    '# TYPE elkyn_pool_tasks_total counter',
  ]) {
    expect(lines).toContain(line)
  }
  expect(lines.filter((line) => line.startsWith('elkyn_store_graves'))).toEqual([])
})
