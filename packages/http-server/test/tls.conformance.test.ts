import { selfSigned } from '@elkyn/tooling-certificates'
import { MemoryTreeStore } from '@elkyn/tree'
import { SimpleHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'

const tls = selfSigned()

describeHttpServer('SimpleHttpServer with TLS, HTTP/1.1', async ({ indexes = {}, ...options }) => {
  const store = new MemoryTreeStore({ indexes })
  const server = new SimpleHttpServer({ ...options, store, port: 0, tls, closeStore: true })
  await server.start()
  const { port } = server.address()
  return Object.assign(server, { port, tls: { cert: tls.cert, isHttp2: false } })
})

describeHttpServer('SimpleHttpServer with TLS, HTTP/2', async ({ indexes = {}, ...options }) => {
  const store = new MemoryTreeStore({ indexes })
  const server = new SimpleHttpServer({ ...options, store, port: 0, tls, closeStore: true })
  await server.start()
  const { port } = server.address()
  return Object.assign(server, { port, tls: { cert: tls.cert, isHttp2: true } })
})
