import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, truncate, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RunningServer, elkyn, spawnElkyn, closed } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

test('serve makes the folder, answers on both surfaces, and logs JSON lines', async () => {
  await using server = await RunningServer.start(folder.file('data'))
  const written = await fetch(`${server.url}/users/ada.json`, {
    method: 'PUT',
    body: '{"born":1815}',
  })
  expect(await written.json()).toEqual({ born: 1815 })
  expect(await (await fetch(`${server.url}/users`)).json()).toEqual({ ada: { born: 1815 } })

  const { stderr } = await server.stop()
  const messages = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string })
  expect(messages.map(({ msg }) => msg)).toEqual(['listening', 'stopping', 'stopped'])
  expect(messages[0]).toMatchObject({ level: 'info', url: server.url, durability: 'full' })
})

test('serve keeps what was written for the next start', async () => {
  for (const expected of [null, 1]) {
    await using server = await RunningServer.start(folder.path)
    expect(await (await fetch(`${server.url}/a.json`)).json()).toBe(expected)
    await fetch(`${server.url}/a.json`, { method: 'PUT', body: '1' })
    expect(await server.stop('SIGINT')).toMatchObject({ code: 0 })
  }
})

test('serve has the indexes that its rules file declares', async () => {
  const rules = folder.file('rules.json')
  await writeFile(
    rules,
    '{"rules": {".read": true, ".write": true, "people": {".indexOn": "age"}}} // all',
  )
  for (const threads of ['0', '2']) {
    const args = ['--rules', rules, '--threads', threads]
    await using server = await RunningServer.start(folder.file('data'), args)
    const body = '{"ada": {"age": 36}, "bob": {"age": 17}}'
    await fetch(`${server.url}/people.json`, { method: 'PUT', body })
    const query = `${server.url}/people.json?orderBy="age"&startAt=18`
    expect(await (await fetch(query)).json()).toEqual({ ada: { age: 36 } })
    expect((await fetch(query.replace('age', 'name'))).status).toBe(400)
    await server.stop()
  }
})

test('serve --namespaces serves several databases, with the rules of each', async () => {
  const rules = folder.file('rules.json')
  const data = folder.file('data')
  await writeFile(rules, '{"rules": {".read": true, ".write": true, "a": {".indexOn": "b"}}}')
  const args = ['--namespaces', 'shop, blog', '--default-namespace', 'shop', '--rules', rules]
  {
    await using server = await RunningServer.start(data, args)
    for (const [ns, b] of [
      ['shop', 1],
      ['blog', 2],
    ] as const) {
      await fetch(`${server.url}/a.json?ns=${ns}`, { method: 'PUT', body: `{"x": {"b": ${b}}}` })
    }
    const query = `${server.url}/a.json?orderBy="b"&equalTo=`
    expect(await (await fetch(`${query}1`)).json()).toEqual({ x: { b: 1 } })
    expect(await (await fetch(`${query}2&ns=blog`)).json()).toEqual({ x: { b: 2 } })
    expect((await fetch(`${server.url}/a.json?ns=other`)).status).toBe(404)
    await server.stop()
  }
  const { code, stderr } = await elkyn(['serve', '--data', data, '--port', '0'])
  expect(code).toBe(3)
  expect(stderr).toContain('for one database: it was made for several databases\nAdd --namespaces')
})

test('serve --namespaces refuses names that no database has', async () => {
  for (const args of [
    ['--namespaces', 'a.b'],
    ['--namespaces', 'a,,b'],
    ['--namespaces', 'a', '--default-namespace', 'b'],
    ['--default-namespace', 'b'],
  ]) {
    const { code } = await elkyn(['serve', '--data', folder.file('data'), ...args])
    expect([args, code]).toEqual([args, 2])
  }
  expect(existsSync(folder.file('data'))).toBe(false)
})

test('serve compresses answers, with --no-compression not', async () => {
  for (const [args, coding] of [
    [[], 'br'],
    [['--no-compression'], null],
  ] as const) {
    await using server = await RunningServer.start(folder.path, args)
    const body = JSON.stringify('x'.repeat(5000))
    await fetch(`${server.url}/a.json`, { method: 'PUT', body })
    const answer = await fetch(`${server.url}/a.json`, { headers: { 'Accept-Encoding': 'br' } })
    expect(answer.headers.get('content-encoding')).toBe(coding)
    expect(await answer.text()).toBe(body)
    await server.stop()
  }
})

test('serve --no-require-indexes answers queries without an index', async () => {
  await using server = await RunningServer.start(folder.path, ['--no-require-indexes'])
  await fetch(`${server.url}/a.json`, { method: 'PUT', body: '{"b": {"c": 1}}' })
  expect(await (await fetch(`${server.url}/a.json?orderBy="c"`)).json()).toEqual({ b: { c: 1 } })
})

test('serve refuses a rules file that it would not keep, and touches nothing', async () => {
  const rules = folder.file('rules.json')
  const data = folder.file('data')
  await writeFile(rules, '{"rules": {".read": true,\n ".write": "auth != null"}}')
  const { code, stderr } = await elkyn(['serve', '--data', data, '--rules', rules])
  expect(code).toBe(2)
  expect(stderr).toContain(
    `error: Cannot use the rules in "${rules}": 2:2: The rule ".write" would not be kept.`,
  )
  expect(existsSync(data)).toBe(false)
  const missing = await elkyn(['serve', '--data', data, '--rules', folder.file('none.json')])
  expect([missing.code, missing.stderr.includes('Cannot read the rules')]).toEqual([2, true])
})

test('serve answers what is running when SIGTERM comes, then ends with 0', async () => {
  await using server = await RunningServer.start(folder.path)
  const begun = await beginPut(`${server.url}/a.json`)
  server.child.kill('SIGTERM')
  await server.logged('stopping')
  const answered = once(begun, 'response') as Promise<[IncomingMessage]>
  begun.end('"in time"')
  const [response] = await answered
  expect(await json(response)).toBe('in time')
  await closed(server.child)
  expect(server.child.exitCode).toBe(0)
})

test('serve ends at once on a second signal', async () => {
  await using server = await RunningServer.start(folder.path)
  // A request that never ends keeps a clean stop from being done.
  const begun = await beginPut(`${server.url}/a.json`)
  const failed = once(begun, 'error')
  server.child.kill('SIGTERM')
  await server.logged('stopping')
  expect(await server.stop('SIGINT')).toMatchObject({ code: 130 })
  await failed
})

test('serve is there again after the disk failed, with what was answered before', async () => {
  const data = folder.file('data')
  await using server = await RunningServer.start(data, [], { fileMaxKiB: 1000 })
  expect(await put(server, '/small', '1')).toBe(204)
  expect(await put(server, '/large', JSON.stringify('x'.repeat(2_000_000)))).toBe(503)
  await server.logged('listening', 2)
  expect(await (await fetch(`${server.url}/.json`)).json()).toEqual({ small: 1 })
  expect(await put(server, '/small', '2')).toBe(204)
})

test.each([
  ['0', { exitCode: 1, signalCode: null }],
  ['2', { exitCode: null, signalCode: 'SIGABRT' }],
])('serve --no-supervise --threads %s ends when the disk fails', async (threads, end) => {
  const data = folder.file('data')
  const flags = ['--no-supervise', '--threads', threads]
  const server = await RunningServer.start(data, flags, { fileMaxKiB: 1000 })
  expect(await put(server, '/small', '1')).toBe(204)
  expect(await put(server, '/large', JSON.stringify('x'.repeat(2_000_000)))).toBe(503)
  await closed(server.child)
  expect(server.child).toMatchObject(end)
  expect((await server.stop()).stderr).toContain('"msg":"the database failed, stopping"')

  await using again = await RunningServer.start(data)
  expect(await (await fetch(`${again.url}/.json`)).json()).toEqual({ small: 1 })
})

test.each([
  ['0', { exitCode: 1, signalCode: null }],
  ['2', { exitCode: null, signalCode: 'SIGABRT' }],
])(
  'serve --no-supervise --threads %s ends when the disk fails while it stops',
  async (threads, end) => {
    const flags = ['--no-supervise', '--threads', threads]
    await using server = await RunningServer.start(folder.file('data'), flags, { fileMaxKiB: 1000 })
    const begun = await beginPut(`${server.url}/large.json?print=silent`)
    server.child.kill('SIGTERM')
    await server.logged('stopping')
    const answered = once(begun, 'response') as Promise<[IncomingMessage]>
    begun.end(JSON.stringify('x'.repeat(2_000_000)))
    const [response] = await answered
    expect(response.statusCode).toBe(503)
    await closed(server.child)
    expect(server.child).toMatchObject(end)
    expect(server.log.text).toContain('"msg":"the database failed, stopping"')
  },
)

async function put(server: RunningServer, path: string, body: string): Promise<number> {
  const { status } = await fetch(`${server.url}${path}?print=silent`, { method: 'PUT', body })
  return status
}

/** Sends the head of a PUT, and waits until the server asks for the body. */
async function beginPut(url: string): Promise<ClientRequest> {
  const begun = request(url, { method: 'PUT', headers: { expect: '100-continue' } })
  begun.flushHeaders()
  await once(begun, 'continue')
  return begun
}

test('serve takes its settings from the environment', async () => {
  const env = {
    ELKYN_HOST: 'localhost',
    ELKYN_PORT: '0',
    ELKYN_DATA_DIR: folder.file('from-variable'),
    ELKYN_LOG_LEVEL: 'warn',
  }
  const child = spawnElkyn(['serve'], { env })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  expect(line.toString()).toMatch(/^Elkyn DB listening on http:\/\/\S+:\d+\n$/)
  expect(existsSync(folder.file('from-variable'))).toBe(true)
  child.kill()
  await closed(child)
  expect(child.stderr.read()).toBe(null)
})

test('serve takes an empty variable for none', async () => {
  const env = { ELKYN_HOST: '', ELKYN_PORT: '', ELKYN_LOG_LEVEL: '', ELKYN_DATA_DIR: '' }
  await using server = await RunningServer.start(folder.path, [], { env })
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:/)
})

test('serve shows metrics where it is told to', async () => {
  await using server = await RunningServer.start(folder.path, ['--metrics-port', '0', '--metrics'])
  await server.logged('showing metrics')
  const [, url = ''] = /"url":"(\S+\/\.metrics)"/.exec(server.log.text) ?? []
  await fetch(`${server.url}/a.json`, { method: 'PUT', body: '1' })
  let page = ''
  // What the thread that writes does not say in time is left out.
  while (!page.includes('\nelkyn_store_file_bytes ')) page = await (await fetch(url)).text()
  expect(page).toContain('\nelkyn_http_requests_total{method="PUT",status="200"} 1\n')
  expect(page).toContain('\nelkyn_store_commit_writes_count 1\n')
  expect(page).toMatch(/\nelkyn_store_file_bytes [1-9]\d+\n/)
  expect((await fetch(`${server.url}/.metrics`)).status).toBe(404)
})

test('serve stops cleanly when nobody reads its output any more', async () => {
  await using server = await RunningServer.start(folder.path)
  server.child.stdout.destroy()
  server.child.stderr.destroy()
  expect(await server.stop()).toMatchObject({ code: 0 })
})

test('serve prefers an option to a variable', async () => {
  const env = { ELKYN_LOG_LEVEL: 'silent', ELKYN_DATA_DIR: folder.file('from-variable') }
  await using server = await RunningServer.start(folder.path, ['--log-level', 'info'], { env })
  expect((await server.stop()).stderr).toContain('"msg":"listening"')
  expect(existsSync(folder.file('from-variable'))).toBe(false)
})

test('serve refuses a secret that this version would not check', async () => {
  const env = { ELKYN_AUTH_SECRET: 'secret' }
  const { code, stdout, stderr } = await elkyn(['serve', '--data', folder.file('data')], { env })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('error: Cannot serve with ELKYN_AUTH_SECRET: ')
  expect(existsSync(folder.file('data'))).toBe(false)
})

test.each([
  ['0', 0],
  ['2', 2],
  ['auto', availableParallelism()],
])('serve --threads %s has so many that read', async (given, threads) => {
  await using server = await RunningServer.start(folder.path, ['--threads', given])
  expect(await put(server, '/a', '1')).toBe(204)
  expect(await (await fetch(`${server.url}/a.json`)).json()).toBe(1)
  expect((await server.stop()).stderr).toContain(`"threads":${threads}`)
})

test('serve refuses a number of threads that nobody can have', async () => {
  const env = { ELKYN_THREADS: 'many' }
  const { code, stderr } = await elkyn(['serve', '--data', folder.file('data')], { env })
  expect(code).toBe(2)
  expect(stderr).toContain('many')
})

test('serve warns of an address that others reach', async () => {
  await using server = await RunningServer.start(folder.path, ['--host', '0.0.0.0'])
  const { stderr } = await server.stop()
  expect(stderr).toContain('anyone who reaches this address can read and write')
})

test('serve says which port is in use', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  try {
    const { code, stderr } = await elkyn(['serve', '--port', `${port}`, '--data', folder.path])
    expect(code).toBe(3)
    // A folder is not made for nothing.
    expect(await readdir(folder.path)).toEqual([])
    expect(stderr).toBe(
      `error: Cannot listen on http://127.0.0.1:${port}: the port is in use by another program\n` +
        'Choose another one with --port, or 0 for any that is free.\n',
    )
  } finally {
    other.close()
  }
})

test('serve says which port for metrics is in use', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  try {
    const args = ['serve', '--port', '0', '--metrics-port', `${port}`, '--data', folder.path]
    const { code, stderr } = await elkyn(args)
    expect(code).toBe(3)
    expect(await readdir(folder.path)).toEqual([])
    expect(stderr).toBe(
      `error: Cannot listen on http://127.0.0.1:${port}: the port is in use by another program\n` +
        'Choose another one with --metrics-port, or 0 for any that is free.\n',
    )
  } finally {
    other.close()
  }
})

test('serve takes no address for metrics without a port for them', async () => {
  const { code, stderr } = await elkyn(['serve', '--metrics-host', '::1', '--data', folder.path])
  expect(code).toBe(2)
  expect(stderr).toBe(
    'error: Cannot serve with --metrics-host alone\nIt is the address for --metrics-port.\n',
  )
})

test('serve says that it is the address for metrics that this machine does not have', async () => {
  // As in the test of --host below.
  const args = ['serve', '--port', '0', '--metrics-port', '0', '--metrics-host', '192.0.2.1']
  const { code, stderr } = await elkyn([...args, '--data', folder.path])
  expect(code).toBe(3)
  expect(stderr).toBe(
    'error: Cannot listen on http://192.0.2.1:0: this machine does not have the address\n' +
      'Choose another one with --metrics-host.\n',
  )
})

test('serve cannot have one port for two things, and makes no folder to find that out', async () => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await free[Symbol.asyncDispose]()
  const args = ['serve', '--port', `${port}`, '--metrics-port', `${port}`, '--data', folder.path]
  expect(await elkyn(args)).toMatchObject({ code: 3 })
  expect(await readdir(folder.path)).toEqual([])
})

test('serve says which port is in use, also for a folder with a database', async () => {
  await using first = await RunningServer.start(folder.file('first'))
  await elkyn(['set', '/a', '1', '--data', folder.file('second')])
  const { port } = new URL(first.url)
  const { code, stderr } = await elkyn(['serve', '--port', port, '--data', folder.file('second')])
  expect(code).toBe(3)
  expect(stderr).toContain(`Cannot listen on http://127.0.0.1:${port}: the port is in use`)
})

test('serve says when the address is not of this machine', async () => {
  // 192.0.2.0/24 is set aside for documentation: https://www.rfc-editor.org/rfc/rfc5737
  const { code, stderr } = await elkyn(['serve', '--host', '192.0.2.1', '--data', folder.path])
  expect(code).toBe(3)
  expect(stderr).toContain('this machine does not have the address')
  expect(await readdir(folder.path)).toEqual([])
})

test('serve says when the data folder cannot be made', async () => {
  await writeFile(folder.file('file'), '')
  const { code, stderr } = await elkyn(['serve', '--port', '0', '--data', folder.file('file/data')])
  expect(code).toBe(3)
  expect(stderr).toMatch(/^error: Cannot \w+ .*ENOTDIR.*\nChoose another folder with --data/)
})

test('serve leaves a folder alone that another process has open', async () => {
  await using server = await RunningServer.start(folder.path)
  const { code, stderr } = await elkyn(['serve', '--port', '0', '--data', folder.path])
  expect(code).toBe(3)
  expect(stderr).toContain(`process ${await server.pid()} has it open`)
})

test('serve leaves a folder alone that another version made', async () => {
  await writeFile(folder.file('elkyn.json'), '{"formatVersion": 99}')
  const { code, stderr } = await elkyn(['serve', '--port', '0', '--data', folder.path])
  expect(code).toBe(3)
  expect(stderr).toContain('format 99')
  expect(existsSync(folder.file('data.mdb'))).toBe(false)
})

test('serve leaves a folder alone whose data file was cut off', async () => {
  await elkyn(['set', '/a', '1', '--data', folder.path])
  await truncate(folder.file('data.mdb'), 4096)
  const { code, stderr } = await elkyn(['serve', '--port', '0', '--data', folder.path])
  expect(code).toBe(3)
  expect(stderr).toContain('its data.mdb is cut off')
  expect(stderr).toContain('Restore a backup into another folder')
})

test.each([
  ['--host', '', 'It is empty'],
  ['--data', ' ', 'It is empty'],
  ['--port', '65536', 'from 0 to 65535'],
  ['--port', '80x', 'from 0 to 65535'],
  ['--durability', 'none', 'full, relaxed'],
  ['--log-level', 'loud', 'trace, debug, info'],
])('serve refuses %s %s', async (option, value, reason) => {
  const { code, stderr } = await elkyn(['serve', option, value])
  expect(code).toBe(2)
  expect(stderr).toContain(reason)
})
