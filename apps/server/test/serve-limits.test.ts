import { once } from 'node:events'
import { connect } from 'node:net'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RunningServer, elkyn } from './elkyn.ts'
import type { RunOptions } from './elkyn.ts'
import { EventStream } from './event-stream.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

test.each([
  ['--max-streams', 'The server is busy: Too many streams'],
  ['--max-streams-per-address', 'Too many streams from this address'],
])('serve %s limits them, also when it was started again', async (option, error) => {
  await using server = await RunningServer.start(folder.path, [option, '2'])
  for (const starts of [1, 2]) {
    using first = await EventStream.open(`${server.url}/a.json`)
    using second = await EventStream.open(`${server.url}/a.json`)
    using third = await EventStream.open(`${server.url}/a.json`)
    expect([first.status, second.status, third.status]).toEqual([200, 200, 503])
    expect(await third.text()).toContain(error)
    process.kill(await server.pid(starts), 'SIGKILL')
    await server.logged('listening', starts + 1)
  }
})

test('serve --max-connections limits them', async () => {
  await using server = await RunningServer.start(folder.path, ['--max-connections', '1'])
  const port = Number(new URL(server.url).port)
  const first = connect(port, '127.0.0.1')
  await once(first, 'connect')
  const second = connect(port, '127.0.0.1')
  second.write('GET /a.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  expect(await text(second)).toMatch(/^HTTP\/1\.1 503 /)
  first.destroy()
})

test('serve --stream-keep-alive says how many seconds lie between them', async () => {
  const start = (name: string, seconds: string): Promise<RunningServer> =>
    RunningServer.start(folder.file(name), ['--stream-keep-alive', seconds])
  await using hourly = await start('hourly', '3600')
  await using quick = await start('quick', '1')
  using slow = await EventStream.open(`${hourly.url}/a.json`)
  using fast = await EventStream.open(`${quick.url}/a.json`)
  const which = await Promise.race([
    slow.first('keep-alive').then(() => 'hourly'),
    fast.first('keep-alive').then(() => 'quick'),
  ])
  expect(which).toBe('quick')
})

/** The path of the first event behind that with an id: `/` where the log does not reach back so far. */
async function firstPathBehind(server: RunningServer, id: string): Promise<string> {
  using stream = await EventStream.open(`${server.url}/.json`, id)
  const { data } = await stream.first('put')
  return (JSON.parse(data) as { path: string }).path
}

async function put(server: RunningServer, name: string, value: unknown): Promise<void> {
  const body = JSON.stringify(value)
  const { status } = await fetch(`${server.url}/${name}.json`, { method: 'PUT', body })
  expect(status).toBe(200)
}

/** Writes `/first`. @returns the id of the event behind it. */
async function idOfFirst(server: RunningServer): Promise<string> {
  await put(server, 'first', 1)
  // Not at the root: what happened there since would be found in memory.
  using stream = await EventStream.open(`${server.url}/first.json`)
  return (await stream.first('put')).id
}

test.each([
  ['1', '/'],
  ['2', '/0'],
])('serve --change-log-size %s keeps so many MiB', async (size, path) => {
  await using server = await RunningServer.start(folder.path, ['--change-log-size', size])
  const id = await idOfFirst(server)
  for (let index = 0; index < 25; index++) await put(server, `${index}`, 'x'.repeat(60_000))
  expect(await firstPathBehind(server, id)).toBe(path)
})

test.each([
  ['1', '/'],
  ['3', '/second'],
])('serve --change-log-hours %s keeps changes so long', async (hours, path) => {
  const start = (options?: RunOptions): Promise<RunningServer> =>
    RunningServer.start(folder.path, ['--change-log-hours', hours], options)
  let id: string
  {
    await using server = await start()
    id = await idOfFirst(server)
    await put(server, 'second', 2)
    await server.stop()
  }
  const twoHoursLater = 'const { now } = Date; Date.now = () => now() + 2 * 60 * 60 * 1000'
  const preload = `data:text/javascript,${encodeURIComponent(twoHoursLater)}`
  await using server = await start({ env: { NODE_OPTIONS: `--import=${preload}` } })
  await put(server, 'third', 3)
  expect(await firstPathBehind(server, id)).toBe(path)
})

test.each([
  ['--max-connections', '0', 'from 1 to 1000000'],
  ['--max-streams', '0', 'from 1 to 1000000'],
  ['--max-streams-per-address', '-1', 'from 1 to 1000000'],
  ['--stream-keep-alive', '0.5', 'from 1 to 86400'],
  ['--stream-keep-alive', '86401', 'from 1 to 86400'],
  ['--change-log-size', '1e3', 'from 1 to 1048576'],
  ['--change-log-hours', '', 'from 1 to 87600'],
])('serve refuses %s %s', async (option, value, range) => {
  const { code, stderr } = await elkyn(['serve', '--data', folder.path, option, value])
  expect(code).toBe(2)
  expect(stderr).toMatch(new RegExp(`^error: option '${option} <\\w+>' argument '${value}' is inv`))
  expect(stderr).toContain(`It has to be a whole number ${range}.`)
})
