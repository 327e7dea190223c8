import { execFile } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RunningServer, closed, elkyn, spawnElkyn } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

async function put(url: string, value: unknown): Promise<number> {
  const { status } = await fetch(url, { method: 'PUT', body: JSON.stringify(value) })
  return status
}

test.each(['SIGSEGV', 'SIGABRT', 'SIGKILL'] as const)(
  'serve goes on at the same port after %s, with all that was written',
  async (signal) => {
    await using server = await RunningServer.start(folder.path)
    for (const count of [1, 2]) {
      expect(await put(`${server.url}/count.json`, count)).toBe(200)
      process.kill(await server.pid(count), signal)
      await server.logged('listening', count + 1)
      expect(await (await fetch(`${server.url}/count.json`)).json()).toBe(count)
    }
    expect(await server.stop()).toMatchObject({ code: 0 })
    expect(server.log.text).toContain(`"signal":"${signal}","pauseMs":0,"msg":"the server crashed`)
  },
)

test('a request with an Idempotency-Key can be sent again until the server is back', async () => {
  await using server = await RunningServer.start(folder.path)
  const names: string[] = []
  for (const number of [1, 2, 3]) {
    const send = async (): Promise<string> => {
      const headers = { 'Idempotency-Key': `till-${number}` }
      const answer = await fetch(`${server.url}/list.json`, { method: 'POST', body: '1', headers })
      return ((await answer.json()) as { name: string }).name
    }
    const first = await send()
    process.kill(await server.pid(number), 'SIGKILL')
    const again = await untilAnswered(send)
    expect(again).toBe(first)
    names.push(first)
  }
  const list = (await (await fetch(`${server.url}/list.json`)).json()) as object
  expect(Object.keys(list)).toEqual(names)
})

/** Sends until somebody answers; nobody listens while the server is started again. */
async function untilAnswered<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send()
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
    }
  }
}

test('serve writes where it listens once, however often it is started again', async () => {
  const child = spawnElkyn(['serve', '--port', '0', '--data', folder.path])
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const starts: number[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    const { msg, pid } = JSON.parse(line) as { msg: string; pid: number }
    if (msg !== 'listening') continue
    starts.push(pid)
    if (starts.length < 3) process.kill(pid, 'SIGABRT')
    else child.kill('SIGTERM')
  }
  await closed(child)
  expect(lines).toEqual([expect.stringMatching(/^Elkyn DB listening on http:\S+$/)])
  expect(new Set(starts).size).toBe(3)
})

test('serve starts the server again when nobody reads the log any more', async () => {
  await using server = await RunningServer.start(folder.path)
  const pid = await server.pid()
  server.child.stderr.destroy()
  process.kill(pid, 'SIGKILL')
  const send = async (): Promise<number> => {
    if (server.child.exitCode !== null) throw new Error('The supervising process has ended')
    return put(`${server.url}/a.json`, 1)
  }
  expect(await untilAnswered(send)).toBe(200)
})

test('serve ends when the server was asked itself to stop', async () => {
  await using server = await RunningServer.start(folder.path)
  process.kill(await server.pid(), 'SIGTERM')
  await closed(server.child)
  expect(server.child.exitCode).toBe(0)
})

test('serve takes a signal that all its processes get for one', async () => {
  await using server = await RunningServer.start(folder.path)
  process.kill(await server.pid(), 'SIGTERM')
  expect(await server.stop('SIGTERM')).toMatchObject({ code: 0 })
})

test('serve stops when a signal comes before it has begun', async () => {
  const child = spawnElkyn(['serve', '--port', '0', '--data', folder.path])
  await once(child, 'spawn')
  child.kill('SIGTERM')
  await closed(child)
  // By the signal itself if it came before anybody could listen for it.
  expect(child.exitCode ?? child.signalCode).toBeOneOf([0, 'SIGTERM'])
})

test('the server ends with the process that supervises it', async () => {
  await using server = await RunningServer.start(folder.path)
  // Its output closes when all that hold it are gone.
  expect((await server.stop('SIGKILL')).stderr).toContain('the supervising process has ended')
  await using again = await RunningServer.start(folder.path)
  expect(again.url).not.toBe('')
})

test('serve --no-supervise is one process, which ends when it crashes', async () => {
  await using server = await RunningServer.start(folder.path, ['--no-supervise'])
  expect(await server.pid()).toBe(server.child.pid)
  server.child.kill('SIGABRT')
  await closed(server.child)
  expect(server.child.signalCode).toBe('SIGABRT')
})

test('serve shows its help without listening', async () => {
  const { code, stdout } = await elkyn(['serve', '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('--no-supervise')
})

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function runSupervised(program: string): Promise<Run> {
  const file = new URL('programs/supervise.ts', import.meta.url).pathname
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [file, program])) }
  } catch (error) {
    return error as Run
  }
}

test('supervise() gives up when the server crashes each time it is started', async () => {
  const { code, stdout, stderr } = await runSupervised(`
    console.log(process.env.ELKYN_SUPERVISION)
    process.send({ port: 1234, logLevel: 'error' }, () => process.exit(9))`)
  expect(code).toBe(1)
  expect(stdout).toBe('{"restarts":0}\n{"restarts":1,"port":1234}\n{"restarts":2,"port":1234}\n')
  expect(stderr).toContain('"code":9,"msg":"the server crashed"}')
  expect(stderr).toContain('error: The server crashed 3 times in a row, each time within 10 s\n')
})

test('supervise() ends as a server that fails before it listens', async () => {
  expect(await runSupervised('process.exitCode = 3')).toMatchObject({ code: 3, stderr: '' })
  expect(await runSupervised(`process.kill(process.pid, 'SIGKILL')`)).toMatchObject({
    code: 137,
    stderr: 'error: SIGKILL ended the server before it listened\n',
  })
})
