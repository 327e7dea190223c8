import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { expect, test } from 'vitest'

test('a server without TLS loads neither fetch nor TLS nor HTTP/2', () => {
  const index = new URL('../src/index.ts', import.meta.url).href
  const code = `
    const { SimpleHttpServer } = await import(${JSON.stringify(index)})
    await using server = new SimpleHttpServer({ store: { snapshot() {} }, port: 0 })
    await server.start()
    console.log(JSON.stringify(process.moduleLoadList))`
  const args = ['--input-type=module', '--eval', code]
  const loaded = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[]
  expect(loaded).toContain('NativeModule http')
  expect(loaded).not.toContain('NativeModule internal/deps/undici/undici')
  expect(loaded).not.toContain('NativeModule tls')
  expect(loaded).not.toContain('NativeModule http2')
})
