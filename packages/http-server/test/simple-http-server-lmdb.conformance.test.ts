import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTree } from '@elkyn/storage-lmdb'
import { SimpleHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'
import { sharing } from './conformance/sharing.ts'

describeHttpServer(
  'SimpleHttpServer over LMDB',
  sharing(async ({ indexes = {}, ...options }) => {
    const path = await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
    const tree = await openTree({
      path,
      indexes,
      databases: options.namespaces === undefined ? 'one' : 'several',
    })
    const server = new SimpleHttpServer({ ...options, store: tree.store, port: 0 })
    await server.start()
    return {
      port: server.address().port,
      close: (closeOptions) => server.close(closeOptions),
      async [Symbol.asyncDispose]() {
        await server.close({ timeoutMs: 0 })
        await tree.close()
        await rm(path, { recursive: true })
      },
    }
  }),
)
