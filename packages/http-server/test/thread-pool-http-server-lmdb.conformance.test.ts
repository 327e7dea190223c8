import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { ThreadPoolHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'
import { sharing } from './conformance/sharing.ts'

describeHttpServer(
  'ThreadPoolHttpServer over LMDB',
  sharing(async ({ indexes = {}, ...options }, isShared) => {
    const path = await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
    const server = new ThreadPoolHttpServer({
      ...options,
      store: lmdbStorage({
        path,
        indexes,
        databases: options.namespaces === undefined ? 'one' : 'several',
      }),
      port: 0,
      // Each costs as much as many requests.
      threads: isShared ? 2 : 1,
    })
    await server.start()
    return {
      port: server.address().port,
      close: (closeOptions) => server.close(closeOptions),
      async [Symbol.asyncDispose]() {
        await server.close({ timeoutMs: 0 })
        await rm(path, { recursive: true })
      },
    }
  }),
)
