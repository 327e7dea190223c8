import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { closed, elkyn, spawnElkyn } from './elkyn.ts'

const commands = ['serve', 'get', 'set', 'update', 'push', 'delete', 'import', 'export']

test.each(['--help', 'help'])('elkyn %s names every command', async (argument) => {
  const { code, stdout } = await elkyn([argument])
  expect(code).toBe(0)
  expect(stdout.match(/^ {2}\w+/gm)?.map((name) => name.trim())).toEqual([...commands, 'help'])
})

test('elkyn without a command shows the help on standard error and fails', async () => {
  const { code, stdout, stderr } = await elkyn([])
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('Usage: elkyn [options] [command]')
})

test('elkyn --version prints the version of the package', async () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { version: string }
  expect(await elkyn(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
})

test.each(commands)('elkyn %s --help shows examples', async (command) => {
  const { code, stdout } = await elkyn([command, '--help'])
  expect(code).toBe(0)
  expect(stdout).toMatch(new RegExp(`Examples:\\n(.*\\n)*? {2}(.*\\| )?elkyn ${command}`))
  // Wider lines would break in a terminal of the usual width.
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
})

test.each([
  ['help', 'serve'],
  ['serve', '--help'],
])('elkyn %s %s shows the same', async (...args) => {
  const { code, stdout } = await elkyn(args)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^Usage: elkyn serve \[options\]\n/)
})

test.each([
  [['delete', '']],
  [['set', '', '1']],
  [['export', '--path', '']],
  [['export', '--out', '']],
  [['import', '']],
  [['get', '/', '--data', '']],
])('elkyn %j refuses what an unset variable of a script has left empty', async (args) => {
  const { code, stderr } = await elkyn(args)
  expect(stderr).toMatch(/^error: .* is invalid.* It is empty/)
  expect(code).toBe(2)
})

test.each([
  [['delete', '/users/']],
  [['delete', '//']],
  [['set', '/users//name', '1']],
  [['import', '-', '--path', 'users/']],
])('elkyn %j refuses a path that a script has left half empty', async (args) => {
  const { code, stderr } = await elkyn(args)
  expect(stderr).toMatch(/^error: .* is invalid.* A key in it is empty/)
  expect(code).toBe(2)
})

test('elkyn help --help shows how help is used', async () => {
  const { code, stdout, stderr } = await elkyn(['help', '--help'])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^Usage: elkyn help \[options\] \[command\]\n/)
})

test.each([[['serve', '--help']], [['--help']], [['--version']]])(
  'who reads what %j says may close it early',
  async (args) => {
    const child = spawnElkyn(args)
    child.stdout.destroy()
    const [stderr] = await Promise.all([text(child.stderr), closed(child)])
    expect([child.exitCode, stderr]).toEqual([0, ''])
  },
)

test('nobody has to read what is wrong', async () => {
  const child = spawnElkyn(['improt'])
  child.stderr.destroy()
  await closed(child)
  expect(child.exitCode).toBe(2)
})

test.each([[['improt', 'file.json']], [['help', 'improt']], [['improt', '--help']]])(
  'a misspelt command gets a suggestion: %j',
  async (args) => {
    const { code, stdout, stderr } = await elkyn(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain("error: unknown command 'improt'\n(Did you mean import?)")
  },
)

test('a misspelt option gets a suggestion', async () => {
  const { code, stderr } = await elkyn(['serve', '--prot', '1'])
  expect(code).toBe(2)
  expect(stderr).toContain("error: unknown option '--prot'\n(Did you mean --port?)")
})

test('a path that no tree can have is refused', async () => {
  const { code, stderr } = await elkyn(['get', '/a.b'])
  expect(code).toBe(2)
  expect(stderr).toContain('Invalid path: a key cannot hold "."')
})

test('a URL and a folder cannot both be given', async () => {
  const { code, stderr } = await elkyn(['get', '/', '--url', 'http://[::1]', '--data', 'folder'])
  expect(code).toBe(2)
  expect(stderr).toContain("'--data <folder>' cannot be used with option '--url <url>'")
})

test('a URL of another kind is refused', async () => {
  const { code, stderr } = await elkyn(['get', '/', '--url', 'ftp://localhost'])
  expect(code).toBe(2)
  expect(stderr).toContain('it has to begin with http:// or https://')
})

test('a string without its quotes gets them suggested', async () => {
  const { code, stderr } = await elkyn(['set', '/name', 'Ada'])
  expect(code).toBe(2)
  expect(stderr).toBe(`error: Not JSON: Ada\nA string needs its quotes: '"Ada"'\n`)
})

test('a server that does not answer is unavailable', async () => {
  const url = `http://127.0.0.1:${await unusedPort()}`
  const { code, stderr } = await elkyn(['get', '/'], { env: { ELKYN_URL: url } })
  expect(code).toBe(3)
  expect(stderr).toContain(`error: Cannot reach ${url}: ECONNREFUSED\nStart a server`)
})

/** A port that the system has just given away and taken back. */
async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
