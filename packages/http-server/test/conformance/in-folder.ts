import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OpenTreeOptions } from '@elkyn/storage-lmdb'
import type { SimpleHttpServer, ThreadPoolHttpServer } from '../../src/index.ts'
import type { ServerOptions, ServerUnderTest } from './fixture.ts'

/**
 * Servers over LMDB, each with a folder that goes with it.
 * @param make is given what to open the store with, what is left for the server, and whether several tests use it
 */
export function inFolder(
  make: (
    store: OpenTreeOptions,
    options: Omit<ServerOptions, 'indexes'>,
    isShared: boolean,
  ) => Promise<SimpleHttpServer | ThreadPoolHttpServer>,
): (options: ServerOptions, isShared: boolean) => Promise<ServerUnderTest> {
  return async ({ indexes = {}, ...options }, isShared) => {
    const path = await mkdtemp(join(tmpdir(), 'elkyn-http-server-'))
    const databases = options.namespaces === undefined ? 'one' : 'several'
    const server = await make({ path, indexes, databases }, options, isShared)
    await server.start()
    return {
      port: server.address().port,
      close: (closeOptions) => server.close(closeOptions),
      async [Symbol.asyncDispose]() {
        await server.close({ timeoutMs: 0 })
        await rm(path, { recursive: true })
      },
    }
  }
}
