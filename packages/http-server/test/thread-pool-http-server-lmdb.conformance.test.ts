import { lmdbStorage } from '@elkyn/storage-lmdb'
import { ThreadPoolHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'
import { inFolder } from './conformance/in-folder.ts'
import { sharing } from './conformance/sharing.ts'

describeHttpServer(
  'ThreadPoolHttpServer over LMDB',
  sharing(
    inFolder(
      async (storeOptions, options, isShared) =>
        new ThreadPoolHttpServer({
          ...options,
          store: lmdbStorage(storeOptions),
          port: 0,
          // Each costs as much as many requests.
          threads: isShared ? 2 : 1,
        }),
    ),
  ),
)
