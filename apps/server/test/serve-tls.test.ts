import { connect } from 'node:http2'
import { json } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { chmod, rename, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { selfSigned } from '@elkyn/tooling-certificates'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RunningServer, elkyn } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

let folder: TemporaryFolder
let cert: string
let key: string

beforeEach(async () => {
  folder = await temporaryFolder()
  cert = folder.file('cert.pem')
  key = folder.file('key.pem')
})
afterEach(() => folder[Symbol.asyncDispose]())

test.each(['0', '2'])('serve --threads %s speaks HTTP/2 and HTTP/1.1 over TLS', async (threads) => {
  const tls = await writeFiles()
  const args = ['--threads', threads, '--tls-cert', cert, '--tls-key', key]
  await using server = await RunningServer.start(folder.file('data'), args)
  expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)

  const session = connect(server.url, { ca: tls.cert })
  const put = session.request({ ':method': 'PUT', ':path': '/a.json' })
  put.end('{"b":1}')
  expect(await json(put)).toEqual({ b: 1 })
  session.destroy()

  const dispatcher = new Agent({ allowH2: false, connect: { ca: tls.cert } })
  const answer = await request(`${server.url}/a/b.json`, { dispatcher })
  expect(await answer.body.json()).toBe(1)
  await dispatcher.destroy()
})

test('serve takes its certificate from the environment, and another one when it was renewed', async () => {
  await writeFiles()
  const env = { ELKYN_TLS_CERT: cert, ELKYN_TLS_KEY: key }
  await using server = await RunningServer.start(folder.file('data'), [], { env })
  const { fingerprint256: first } = await certificateOf(server.url)
  await writeFiles()
  await server.logged('the certificate was renewed')
  const { fingerprint256: second } = await certificateOf(server.url)
  expect(second).not.toBe(first)
})

test('a command says how to reach a server over TLS, and one without', async () => {
  await writeFiles()
  const args = ['--tls-cert', cert, '--tls-key', key]
  await using secure = await RunningServer.start(folder.file('data'), args)
  const unknown = await elkyn(['get', '/', '--url', secure.url])
  expect(unknown.code).toBe(3)
  expect(unknown.stderr).toMatch(/^error: Cannot reach .*\nIf .* NODE_EXTRA_CA_CERTS=FILE/)
  const env = { NODE_EXTRA_CA_CERTS: cert }
  expect(await elkyn(['get', '/', '--url', secure.url], { env })).toMatchObject({ code: 0 })

  await using plain = await RunningServer.start(folder.file('plain'))
  const wrong = await elkyn(['get', '/', '--url', plain.url.replace('http:', 'https:')])
  expect(wrong.code).toBe(3)
  expect(wrong.stderr).toMatch(/^error: Cannot reach .*\nIf .* http:/)
})

test.each([
  ['--tls-cert', '--tls-key'],
  ['--tls-key', '--tls-cert'],
])('serve refuses %s without %s', async (given, missing) => {
  const { code, stderr } = await elkyn(['serve', given, cert])
  expect(code).toBe(2)
  expect(stderr).toBe(`error: Cannot serve with ${given} alone: TLS takes ${missing} too\n`)
})

test('serve says which file for TLS it cannot read', async () => {
  await writeFiles()
  const { code, stderr } = await serve(folder.file('other.pem'), key)
  expect([code, stderr]).toEqual([
    3,
    `error: Cannot read the certificate ${folder.file('other.pem')}: there is no such file\n`,
  ])
  expect((await serve(cert, folder.path)).stderr).toBe(
    `error: Cannot read the key ${folder.path}: it is a folder\n`,
  )
})

test.each(['0', '2'])('serve --threads %s says what is wrong with the files', async (threads) => {
  await writeFiles()
  const swapped = await serve(key, cert, threads)
  expect(swapped.code).toBe(3)
  expect(swapped.stderr).toContain('error: Cannot use TLS: The key is not a private key in PEM\n')
  await writeFile(key, selfSigned().key)
  const unrelated = await serve(cert, key, threads)
  expect(unrelated.code).toBe(3)
  expect(unrelated.stderr).toContain(
    'error: Cannot use TLS: The key is not that of the certificate\n',
  )
})

/** As tools do that renew certificates: each file at once. */
async function writeFiles(): Promise<{ readonly cert: string }> {
  const tls = selfSigned()
  for (const [path, text] of [
    [cert, tls.cert],
    [key, tls.key],
  ] as const) {
    await writeFile(`${path}.new`, text)
    await chmod(`${path}.new`, 0o600)
    await rename(`${path}.new`, path)
  }
  return tls
}

function serve(certFile: string, keyFile: string, threads = '0'): ReturnType<typeof elkyn> {
  const tls = ['--tls-cert', certFile, '--tls-key', keyFile]
  return elkyn([
    'serve',
    '--data',
    folder.file('data'),
    '--port',
    '0',
    '--threads',
    threads,
    ...tls,
  ])
}

async function certificateOf(url: string): Promise<{ readonly fingerprint256: string }> {
  const { hostname, port } = new URL(url)
  const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerCertificate()
  socket.destroy()
  return certificate
}
