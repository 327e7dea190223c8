import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { MemoryTreeStore } from '@elkyn/tree'
import { describe, expect, test } from 'vitest'
import { SimpleHttpServer } from '../src/index.ts'

const run = promisify(execFile)
const hasCurl = spawnSync('curl', ['--version']).status === 0
if (!hasCurl) console.warn('SKIPPED: curl is not installed, so nothing was asked with it')

// A client that somebody else wrote, used as people do at a prompt.
describe.skipIf(!hasCurl)('curl', () => {
  test('reads, writes and deletes', async () => {
    await using server = await startServer()
    expect(await curl(server, '/users/ada.json', '-X', 'PUT', '-d', '{"name":"Ada"}')).toBe(
      '{"name":"Ada"}',
    )
    expect(await curl(server, '/users/ada.json', '-X', 'PATCH', '-d', '{"age":36}')).toBe(
      '{"age":36}',
    )
    expect(await curl(server, '/users/ada')).toBe('{"age":36,"name":"Ada"}')
    expect(await curl(server, '/log.json', '-d', '"hello"')).toMatch(/^\{"name":"[\w-]{20}"\}$/)
    expect(await curl(server, '/users.json', '-X', 'DELETE')).toBe('null')
    expect(await curl(server, '/users.json', '-G', '-d', 'shallow=true')).toBe('null')
  })

  test('asks for the head alone', async () => {
    await using server = await startServer()
    const head = await curl(server, '/a.json', '-I', '-H', 'X-Firebase-ETag: true')
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(head).toContain('ETag: null_etag\r\n')
  })

  test('waits for 100 Continue before it sends a large body', async () => {
    await using server = await startServer()
    const body = JSON.stringify('x'.repeat(3_000_000))
    const asked = run('curl', [
      '-sv',
      '-T',
      '-',
      '-H',
      'Expect: 100-continue',
      `${server.address().url}/a.json?print=silent`,
    ])
    asked.child.stdin?.end(body)
    expect((await asked).stderr).toContain('< HTTP/1.1 100 Continue')
    expect(await curl(server, '/a.json')).toBe(body)
  })

  test('is told why its body is not wanted', async () => {
    await using server = await startServer()
    const asked = run('curl', ['-s', '-T', '-', `${server.address().url}/a.json?auth=x`])
    asked.child.stdin?.on('error', () => {})
    asked.child.stdin?.end('x'.repeat(3_000_000))
    expect((await asked).stdout).toContain('Not implemented yet: authentication')
  })
})

async function startServer(): Promise<SimpleHttpServer> {
  const server = new SimpleHttpServer({ store: new MemoryTreeStore(), port: 0 })
  await server.start()
  return server
}

async function curl(server: SimpleHttpServer, path: string, ...options: string[]): Promise<string> {
  const maxBuffer = 2 ** 24
  return (await run('curl', ['-s', ...options, server.address().url + path], { maxBuffer })).stdout
}
