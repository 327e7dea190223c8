import { MemoryTreeStore } from '@elkyn/tree'
import { SimpleHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'

describeHttpServer(
  'SimpleHttpServer over a MemoryTreeStore',
  async ({ indexes = {}, ...options }) => {
    const server = new SimpleHttpServer({
      ...options,
      store: new MemoryTreeStore({ indexes }),
      port: 0,
      closeStore: true,
    })
    await server.start()
    return Object.assign(server, { port: server.address().port })
  },
)
