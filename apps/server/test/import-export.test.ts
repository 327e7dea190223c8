import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RunningServer, closed, elkyn, spawnElkyn } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

/** Items that differ, for a document of many parts. */
const items = Array.from({ length: 2000 }, (_, index) => ({ index, text: `é-${index}` }))
const document = JSON.stringify({ first: { items }, second: 2 })

async function get(server: RunningServer, path: string): Promise<unknown> {
  return await (await fetch(`${server.url}${path}.json`)).json()
}

test('export writes all that import needs to make the same tree again', async () => {
  const text = '{"list":{"0":1,"1":2},"ranked":{".priority":1.5,"x":"é😀"},"zero":0}\n'
  await writeFile(folder.file('in.json'), text)
  const [first, second] = [folder.file('first'), folder.file('second')]
  expect(await elkyn(['import', folder.file('in.json'), '--data', first])).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(/^Imported 72 B into \/ of \S+first in [\d.]+ s\n$/) as string,
  })
  await elkyn(['export', '--data', first, '--out', folder.file('out.json')])
  expect(await readFile(folder.file('out.json'), 'utf8')).toBe(text)

  await elkyn(['import', '-', '--data', second], { input: text })
  expect(await elkyn(['export', '--data', second])).toMatchObject({ code: 0, stdout: text })
})

test('export --out - writes to standard output', async () => {
  await elkyn(['set', '/a', '1', '--data', folder.file('data')])
  const args = ['export', '--out', '-', '--data', folder.file('data')]
  expect(await elkyn(args)).toEqual({ code: 0, stdout: '{"a":1}\n', stderr: '' })
})

test('export writes what is larger than a block from a folder to standard output', async () => {
  const data = ['--data', folder.file('data')]
  const text = `${JSON.stringify({ text: 'x'.repeat(1_000_000), z: 1 })}\n`
  await elkyn(['import', '-', ...data], { input: text })
  const { code, stdout, stderr } = await elkyn(['export', ...data])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout === text).toBe(true)
})

test('keys that --escape-keys has not made are not taken for such', async () => {
  const data = ['--data', folder.file('percent')]
  await elkyn(['set', '/', '{"50%":1,"50%25":2}', ...data])
  expect(await elkyn(['export', '--unescape-keys', ...data])).toMatchObject({
    code: 1,
    stderr:
      'error: Cannot undo --escape-keys: it has not made the key "50%"\nExport without --unescape-keys.\n',
  })
  expect(await elkyn(['export', ...data])).toMatchObject({ stdout: '{"50%":1,"50%25":2}\n' })
  // Nor one that would get a name with a meaning, or keep its own beside another one that gets that.
  await elkyn(['set', '/', '{"%252Epriority":1,"%2Epriority":2}', ...data])
  expect(await elkyn(['export', '--unescape-keys', ...data])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('it has not made the key "%2Epriority"') as string,
  })
})

test('an export that a signal stops leaves no part of a file', async () => {
  // It never comes to an end.
  const server = createServer((_, response) => response.write('{"a":')).listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const child = spawnElkyn(['export', '--out', folder.file('out.json'), '--url', url])
    while ((await readdir(folder.path)).length === 0);
    child.kill('SIGINT')
    await closed(child)
    expect(child.exitCode).toBe(130)
    expect(await readdir(folder.path)).toEqual([])
  } finally {
    server.close()
  }
})

test('export and import take several databases, each as deep as a tree can be', async () => {
  const data = folder.file('data')
  const keys = Array.from({ length: 32 }, (_, index) => `k${index}`).join('/')
  await using server = await RunningServer.start(data, ['--namespaces', 'shop,blog'])
  const url = `${server.url}/${keys}.json?ns=shop`
  expect((await fetch(url, { method: 'PUT', body: '1' })).status).toBe(200)
  await server.stop()
  const file = folder.file('out.json')
  expect(await elkyn(['export', '--data', data, '--out', file])).toMatchObject({ code: 0 })
  const before = await readFile(file, 'utf8')
  expect(await elkyn(['delete', '/shop', '--data', data])).toMatchObject({ code: 0 })
  expect(await elkyn(['import', file, '--data', data])).toMatchObject({ code: 0 })
  await elkyn(['export', '--data', data, '--out', file])
  expect(await readFile(file, 'utf8')).toBe(before)
  const deeper = `{"shop":${'{"k":'.repeat(33)}1${'}'.repeat(33)}}`
  expect(await elkyn(['import', '-', '--data', data], { input: deeper })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('more than 32 keys') as string,
  })
})

test('export --plain shows lists as arrays', async () => {
  await elkyn(['import', '-', '--path', '/a/b', '--data', folder.path], { input: '[1,{"c":[2]}]' })
  const args = ['export', '--plain', '--path', '/a', '--data', folder.path]
  expect(await elkyn(args)).toMatchObject({ stdout: '{"b":[1,{"c":[2]}]}\n' })
})

test('keys are escaped on the way in and unescaped on the way out', async () => {
  const input = '{"":{"4.4":1,"a/b":2,"50%":3,"\\n":4}}'
  const data = ['--data', folder.path]
  expect(await elkyn(['import', '-', '--escape-keys', ...data], { input })).toMatchObject({
    code: 0,
  })
  expect(await elkyn(['get', '/', ...data])).toMatchObject({
    stdout: '{"%":{"%0A":4,"4%2E4":1,"50%25":3,"a%2Fb":2}}\n',
  })
  const { stdout } = await elkyn(['export', '--unescape-keys', ...data])
  expect(JSON.parse(stdout)).toEqual(JSON.parse(input))
})

test('import says where a key is that no tree can hold, and stores nothing', async () => {
  await using server = await RunningServer.start(folder.file('data'))
  await elkyn(['set', '/old', '1', '--url', server.url])
  const file = folder.file('in.json')
  const lines = document.slice(0, -1) + ',\n "é": {"4.4": 1}}'
  await writeFile(file, lines)
  const byte = Buffer.from(lines).indexOf('"4.4"')
  for (const target of [
    ['--url', server.url, '--part-size', '1'],
    ['--data', folder.file('other')],
  ]) {
    expect(await elkyn(['import', file, ...target])).toMatchObject({
      code: 1,
      stderr:
        `error: Cannot import ${file}: Invalid key "4.4": it cannot hold ".", at 2:8 (byte ${byte})\n` +
        'With --escape-keys, keys that a tree cannot hold are percent-encoded.\n' +
        'Nothing was stored.\n',
    })
  }
  expect(await get(server, '/')).toEqual({ old: 1 })
})

test.each([
  ['{"a": 1', '1:8', 7],
  ['{"a": [1, 1e400]}', '1:11', 10],
  ['{"a": "\\ud800"}', '1:8', 7],
])('import says what is wrong with %s, and where', async (text, place, byte) => {
  await writeFile(folder.file('in.json'), text)
  const args = ['import', folder.file('in.json'), '--data', folder.file('data')]
  const { code, stderr } = await elkyn(args)
  expect(code).toBe(1)
  expect(stderr).toContain(` at ${place}: `)
  expect(stderr).toContain(` (byte ${byte})\nNothing was stored.\n`)
})

test('import says what is wrong with a pipe that has a name', async () => {
  const pipe = folder.file('pipe')
  execFileSync('mkfifo', [pipe])
  const [{ code, stderr }] = await Promise.all([
    elkyn(['import', pipe, '--data', folder.file('data')]),
    writeFile(pipe, '{"a": 1'),
  ])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: Cannot import .* at 1:8: .*\nNothing was stored\.\n$/)
  expect(stderr).not.toContain('byte')
})

test('import checks a file that is shorter than a part', async () => {
  await using server = await RunningServer.start(folder.file('data'))
  const file = folder.file('in.json')
  // With --merge it takes two writes, and the fault is in the second.
  await writeFile(file, '{"a":1,"a":2,"b.c":3}')
  const args = ['import', file, '--merge', '--url', server.url]
  expect(await elkyn(args)).toMatchObject({ code: 1 })
  expect(await get(server, '/')).toBe(null)
})

test('import --merge keeps what the document does not name', async () => {
  const data = ['--data', folder.path]
  await elkyn(['set', '/', '{"a":{"x":1},"b":2}', ...data])
  await elkyn(['import', '-', '--merge', ...data], { input: '{"a":{"y":3},"c":4}' })
  expect(await elkyn(['get', '/', ...data])).toMatchObject({
    stdout: '{"a":{"y":3},"b":2,"c":4}\n',
  })
})

test('an import that a signal stops says from where it can be resumed', async () => {
  await using server = await RunningServer.start(folder.file('data'))
  const args = ['import', '-', '--part-size', '1', '--path', '/in', '--url', server.url]
  const child = spawnElkyn(args)
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.write(document.slice(0, document.length / 2))
  while ((await get(server, '/in/first/items/100')) === null);
  child.kill('SIGINT')
  await closed(child)
  expect(child.exitCode).toBe(130)
  expect(stderr).toContain('error: Import stopped by SIGINT\nStored is all before /first/items/')

  const [, resumeFrom = ''] = /--resume-from (\S+)\n$/.exec(stderr) ?? []
  const resumed = await elkyn([...args, '--resume-from', resumeFrom], { input: document })
  expect(resumed).toMatchObject({ code: 0 })
  expect(await get(server, '/in')).toEqual(JSON.parse(document))
})

test('an import that a signal stops does not wait for a server that says nothing', async () => {
  const server = createServer((request) => request.resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const child = spawnElkyn(['import', '-', '--url', `http://127.0.0.1:${port}`])
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.end(document)
  await once(server, 'request')
  child.kill('SIGTERM')
  await closed(child)
  expect(child.exitCode).toBe(143)
  expect(stderr).toContain(
    'error: Import stopped by SIGTERM\nNothing is known to be stored: repeat the command.\n',
  )
  server.closeAllConnections()
  server.close()
})

test('an import that lost its server says from where it can be resumed', async () => {
  const data = folder.file('data')
  const server = await RunningServer.start(data)
  const args = ['import', '-', '--part-size', '1']
  const child = spawnElkyn([...args, '--url', server.url])
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.on('error', () => {})
  child.stdin.write(document.slice(0, document.length / 2))
  while ((await get(server, '/first/items/100')) === null);
  await server.stop('SIGKILL')
  child.stdin.end(document.slice(document.length / 2))
  await closed(child)
  expect(child.exitCode).toBe(3)
  expect(stderr).toContain(`error: Cannot reach ${server.url}: `)

  await using again = await RunningServer.start(data)
  const [, resumeFrom = ''] = /--resume-from (\S+)\n$/.exec(stderr) ?? []
  const rest = [...args, '--resume-from', resumeFrom, '--url', again.url]
  expect(await elkyn(rest, { input: document })).toMatchObject({ code: 0 })
  expect(await get(again, '/')).toEqual(JSON.parse(document))
})

test('an import that was killed leaves whole items, and can be repeated', async () => {
  await using server = await RunningServer.start(folder.file('data'))
  const args = ['import', '-', '--part-size', '1', '--url', server.url]
  const child = spawnElkyn(args)
  child.stdin.write(document.slice(0, document.length / 2))
  while ((await get(server, '/first/items/100')) === null);
  child.kill('SIGKILL')
  await closed(child)
  const { first } = (await get(server, '/')) as { first: { items: unknown[] } }
  expect(first.items).toEqual(items.slice(0, first.items.length))
  expect(await elkyn(args, { input: document })).toMatchObject({ code: 0 })
  expect(await get(server, '/')).toEqual(JSON.parse(document))
})

test('an import into a folder that was killed leaves what was there', async () => {
  const data = ['--data', folder.file('data')]
  await elkyn(['set', '/old', '1', ...data])
  const child = spawnElkyn(['import', '-', ...data])
  // Far more than the pipe and all buffers hold, so that most of it has been taken in.
  const large = JSON.stringify({ text: Array(40).fill('x'.repeat(100_000)) })
  await new Promise((resolve) => child.stdin.write(large.slice(0, -10), resolve))
  child.stdin.on('error', () => {})
  child.kill('SIGKILL')
  await closed(child)
  expect(await elkyn(['get', '/', ...data])).toMatchObject({ stdout: '{"old":1}\n' })
})

test('an export that fails leaves the file as it was', async () => {
  await writeFile(folder.file('out.json'), 'old')
  const { code } = await elkyn([
    'export',
    '--out',
    folder.file('out.json'),
    '--data',
    folder.file('none'),
  ])
  expect(code).toBe(3)
  expect(await readFile(folder.file('out.json'), 'utf8')).toBe('old')
  const args = ['export', '--out', folder.file('none/out.json'), '--data', folder.file('data')]
  await elkyn(['set', '/a', '1', '--data', folder.file('data')])
  expect(await elkyn(args)).toMatchObject({
    code: 1,
    stderr: `error: Cannot write ${folder.file('none/out.json')}: there is no such folder\n`,
  })
  expect(await readdir(folder.path)).toEqual(['data', 'out.json'])
})

test.each([
  ['was cut off', '{"a":{"b":"1'],
  ['is no JSON', '<html>Bad gateway</html>'],
])('an answer that %s is no backup', async (what, answer) => {
  // As a proxy ends it that asked with HTTP/1.0: nothing but the text says that it is not whole.
  const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const out = folder.file('backup.json')
    await writeFile(out, '"yesterday"')
    const exported = await elkyn(['export', '--url', url, '--out', out])
    expect(exported.stderr).toContain(`error: The answer of ${url} ${what}\n`)
    expect([exported.code, await readFile(out, 'utf8')]).toEqual([1, '"yesterday"'])
    const got = await elkyn(['get', '/', '--url', url])
    expect([got.code, got.stderr]).toEqual([1, expect.stringContaining(what)])
    expect(await readdir(folder.path)).toEqual(['backup.json'])
  } finally {
    server.close()
  }
})

test('a page of a proxy is no answer to a write', async () => {
  const page = '<html>Log in first</html>'
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(page))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await writeFile(folder.file('in.json'), '{"a":1}')
    for (const [args, method, path] of [
      [['set', '/a', '1'], 'PUT', '/a'],
      [['update', '/a', '{"b":1}'], 'PATCH', '/a'],
      [['delete', '/a'], 'DELETE', '/a'],
      [['import', folder.file('in.json')], 'PUT', '/'],
    ] as const) {
      const { code, stderr } = await elkyn([...args, '--url', url])
      expect(stderr).toContain(`error: The answer of ${url} to ${method} ${path} is no JSON\n`)
      expect(code).toBe(1)
    }
  } finally {
    server.close()
  }
})

test('an export says when standard output cannot be written', async () => {
  await elkyn(['set', '/a', '1', '--data', folder.file('data')])
  await writeFile(folder.file('file'), '')
  const readOnly = openSync(folder.file('file'), 'r')
  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
  const { status, stderr } = spawnSync(
    process.execPath,
    [cli, 'export', '--data', folder.file('data')],
    { stdio: ['ignore', readOnly, 'pipe'], encoding: 'utf8' },
  )
  closeSync(readOnly)
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'error: Cannot write standard output: EBADF\n',
  })
})
