import { readdir, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RunningServer, closed, elkyn, spawnElkyn } from './elkyn.ts'
import type { RunOptions, RunResult } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

describe.each(['a data folder', 'a server'])('against %s,', (kind) => {
  let server: RunningServer | undefined
  let target: string[]

  beforeEach(async () => {
    server = kind === 'a server' ? await RunningServer.start(folder.file('data')) : undefined
    target = server === undefined ? ['--data', folder.file('data')] : ['--url', server.url]
  })
  afterEach(() => server?.[Symbol.asyncDispose]())

  function run(args: string[], options?: RunOptions): Promise<RunResult> {
    return elkyn([...args, ...target], options)
  }

  test('set, update, push, delete and get do what they say', async () => {
    const done = { code: 0, stdout: '', stderr: '' }
    expect(await run(['set', '/users', '{"ada":{"born":1815},"bob":{}}'])).toEqual(done)
    expect(await run(['update', '/', '{"users/ada/died":1852,"stats/users":1}'])).toEqual(done)
    const push = await run(['push', 'log', '"begun"'])
    expect(push).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^-[\w-]{19}\n$/) as string,
    })
    expect(await run(['delete', '/stats'])).toEqual(done)
    expect(await run(['get', '/'])).toMatchObject({
      code: 0,
      stdout: `{"log":{"${push.stdout.trim()}":"begun"},"users":{"ada":{"born":1815,"died":1852}}}\n`,
    })
  })

  test('update with null deletes nothing', async () => {
    await run(['set', '/a', '{"b":1}'])
    await writeFile(folder.file('null.json'), ' \n null')
    const refused = {
      code: 1,
      stderr:
        'error: Cannot update: null is no object\nTo delete what is there, use "elkyn delete".\n',
    }
    expect(await run(['update', '/a', ' null'])).toMatchObject(refused)
    expect(await run(['update', '/a', `@${folder.file('null.json')}`])).toMatchObject(refused)
    expect(await run(['update', '/a', '-'], { input: 'null' })).toMatchObject(refused)
    expect(await run(['update', '/a', '{"c":null}'])).toMatchObject({ code: 0 })
    expect(await run(['get', '/'])).toMatchObject({ stdout: '{"a":{"b":1}}\n' })
  })

  test('get shows a value in the form that is asked for', async () => {
    await run(['set', '/a', '{"list":[1,2],"ranked":{".value":true,".priority":3}}'])
    expect(await run(['get', '/a'])).toMatchObject({ stdout: '{"list":[1,2],"ranked":true}\n' })
    expect(await run(['get', '/a', '--export'])).toMatchObject({
      stdout: '{"list":{"0":1,"1":2},"ranked":{".value":true,".priority":3}}\n',
    })
    expect(await run(['get', '/a', '--shallow'])).toMatchObject({
      stdout: '{"list":true,"ranked":true}\n',
    })
    expect(await run(['get', '/a/list', '--pretty'])).toMatchObject({ stdout: '[\n  1,\n  2\n]\n' })
    expect(await run(['get', '/nothing/here'])).toMatchObject({ code: 0, stdout: 'null\n' })
  })

  test('JSON comes from an argument, a file or standard input', async () => {
    await writeFile(folder.file('value.json'), '"from the file"')
    await run(['set', '/a b/é/%2F', `@${folder.file('value.json')}`])
    await run(['set', '/a b/stdin', '-'], { input: '"from standard input"' })
    expect(await run(['get', '/a b'])).toMatchObject({
      stdout: '{"stdin":"from standard input","é":{"%2F":"from the file"}}\n',
    })
  })

  test('a refused value is shown with the reason, and nothing is stored', async () => {
    const { code, stderr } = await run(['set', '/a', '{"b": 1, "c.d": 2}'])
    expect(code).toBe(1)
    expect(stderr).toContain("PUT /a: Invalid data; couldn't parse key beginning at 1:10.")
    const update = await run(['update', '/a', '[1]'])
    expect(update).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PATCH /a: ') as string,
    })
    expect(await run(['get', '/'])).toMatchObject({ stdout: 'null\n' })
  })

  test('a priority has a path of its own', async () => {
    await run(['set', '/a', '1'])
    await run(['set', '/a/.priority', '"high"'])
    expect(await run(['get', '/a/.priority'])).toMatchObject({ stdout: '"high"\n' })
  })
})

test('a key with a backslash is one like any other in a folder, and a server says what to do', async () => {
  const data = folder.file('data')
  const done = { code: 0, stdout: '' }
  const key = String.raw`/a\b`
  const json = String.raw`{"a\\b":{"c":1}}`
  const run = async (args: string[]): Promise<RunResult> => elkyn([...args, '--data', data])
  await elkyn(['import', '-', '--data', data], { input: json })
  expect(await run(['get', key])).toMatchObject({ ...done, stdout: '{"c":1}\n' })
  expect(await run(['set', `${key}/c`, '2'])).toMatchObject(done)
  expect(await run(['update', key, '{"d":3}'])).toMatchObject(done)
  expect(await run(['export', '--path', key])).toMatchObject({ stdout: '{"c":2,"d":3}\n' })
  expect(await elkyn(['import', '-', '--path', key, '--data', data], { input: '4' })).toMatchObject(
    done,
  )
  await using server = await RunningServer.start(data)
  const refused = await elkyn(['get', key, '--url', server.url])
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toContain('Invalid path: Invalid token in path\nA server takes no URL of')
  expect(await server.stop()).toMatchObject({ code: 0 })
  expect(await run(['delete', key])).toMatchObject(done)
  expect(await run(['get', '/'])).toMatchObject({ stdout: 'null\n' })
})

test.each([[['get', '/']], [['delete', '/']], [['export', '--out', 'backup.json']]])(
  '%j makes no database where there is none, and says so',
  async (args) => {
    for (const data of [folder.path, folder.file('typo')]) {
      const { code, stderr } = await elkyn([...args, '--data', data])
      expect(code).toBe(3)
      expect(stderr).toBe(
        `error: Cannot open "${data}": there is no database in it\n` +
          'Choose another folder with --data.\n',
      )
    }
    expect(await readdir(folder.path)).toEqual([])
  },
)

test.each([
  [['set', '/a', '1'], /^\{"a":1\}\n$/],
  [['update', '/', '{"a": 1}'], /^\{"a":1\}\n$/],
  [['push', '/a', '1'], /^\{"a":\{"-[\w-]{19}":1\}\}\n$/],
  [['import', '-'], /^\{"a":1\}\n$/],
])('%j makes a database where there is none', async (args, stored) => {
  const target = ['--data', folder.file('new/data')]
  expect(await elkyn([...args, ...target], { input: '{"a": 1}' })).toMatchObject({ code: 0 })
  expect((await elkyn(['get', '/', ...target])).stdout).toMatch(stored)
})

test('a folder that a server has open is refused, with the way to the server', async () => {
  await using server = await RunningServer.start(folder.path)
  const { code, stderr } = await elkyn(['get', '/', '--data', folder.path])
  expect(code).toBe(3)
  expect(stderr).toContain(`process ${await server.pid()} has it open`)
  expect(stderr).toContain('--url')
})

test.each([
  ['that is not there', 'none.json', 'there is no such file'],
  ['that is a folder', '', 'it is a folder'],
])('a file %s is refused, and nothing is made', async (_, name, reason) => {
  const file = folder.file(name)
  for (const command of [
    ['set', '/a', `@${file}`],
    ['update', '/a', `@${file}`],
    ['import', file],
  ]) {
    const { code, stderr } = await elkyn([...command, '--data', folder.file('data')])
    expect([code, stderr]).toEqual([1, `error: Cannot read ${file}: ${reason}\n`])
    expect(await readdir(folder.path)).toEqual([])
  }
})

test('$ELKYN_URL names the server, and its path and query stay', async () => {
  await using server = await RunningServer.start(folder.path)
  const env = { ELKYN_URL: `${server.url}/below?ns=demo` }
  expect(await elkyn(['set', '/a', '1'], { env })).toMatchObject({ code: 0 })
  expect(await (await fetch(`${server.url}/.json`)).json()).toEqual({ below: { a: 1 } })
})

test('who reads standard output may close it early', async () => {
  const args = ['--data', folder.file('data')]
  const input = JSON.stringify('x'.repeat(5_000_000))
  await elkyn(['set', '/a', '-', ...args], { input })
  const child = spawnElkyn(['get', '/a', ...args])
  child.stdout.once('data', () => child.stdout.destroy())
  await closed(child)
  expect(child.exitCode).toBe(0)
})
