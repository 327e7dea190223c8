import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { selfSigned } from '@elkyn/tooling-certificates'
import { expect, test } from 'vitest'
import { ThreadPoolHttpServer } from '../src/index.ts'

const tls = selfSigned()
// Each record says where it stands, so that no two pieces of the text are the same.
const records = Array.from({ length: 25_000 }, (_, id) => ({ id, name: `é ${id * 7919}` }))
const large = Buffer.from(JSON.stringify(records))

// The bytes of an answer are sent from memory that other threads write to.
test('large answers come whole by TLS, several at once', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-pool-tls-'))
  try {
    await using server = new ThreadPoolHttpServer({
      store: lmdbStorage({ path }),
      port: 0,
      threads: 2,
      tls,
    })
    await server.start()
    const { port, url } = server.address()
    const session = connect(url, { ca: tls.cert })
    const ask = { host: '127.0.0.1', port, path: '/large.json', ca: tls.cert, agent: false }
    const put = request({ ...ask, method: 'PUT', path: '/large.json?print=silent' })
    put.end(large)
    const [{ statusCode }] = (await once(put, 'response')) as [IncomingMessage]
    expect(statusCode).toBe(204)
    const answers = await Promise.all([
      overHttp2(session),
      overHttp2(session),
      overHttp1(ask),
      overHttp1(ask),
    ])
    for (const answer of answers) expect(answer.equals(large)).toBe(true)
    session.close()
  } finally {
    await rm(path, { recursive: true })
  }
})

async function overHttp2(session: ClientHttp2Session): Promise<Buffer> {
  return buffer(session.request({ ':path': '/large.json' }))
}

async function overHttp1(options: RequestOptions): Promise<Buffer> {
  const asked = request(options)
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return buffer(response)
}
