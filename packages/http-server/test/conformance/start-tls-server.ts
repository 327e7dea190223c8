import { selfSigned } from '@elkyn/tooling-certificates'
import { MemoryTreeStore } from '@elkyn/tree'
import { SimpleHttpServer } from '../../src/index.ts'
import type { ServerOptions, ServerUnderTest } from './fixture.ts'

const tls = selfSigned()

/** A server that speaks TLS, with clients that take HTTP/2 or do not. */
export async function startTlsServer(
  isHttp2: boolean,
  { indexes = {}, ...options }: ServerOptions,
): Promise<ServerUnderTest> {
  const store = new MemoryTreeStore({ indexes })
  const server = new SimpleHttpServer({ ...options, store, port: 0, tls, closeStore: true })
  await server.start()
  const { port } = server.address()
  return Object.assign(server, { port, tls: { cert: tls.cert, isHttp2 } })
}
