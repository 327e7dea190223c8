import { openTree } from '@elkyn/storage-lmdb'
import { SimpleHttpServer } from '../src/index.ts'
import { describeHttpServer } from './conformance/describe-http-server.ts'
import { inFolder } from './conformance/in-folder.ts'
import { sharing } from './conformance/sharing.ts'

describeHttpServer(
  'SimpleHttpServer over LMDB',
  sharing(
    inFolder(async (storeOptions, options) => {
      const { store } = await openTree(storeOptions)
      return new SimpleHttpServer({ ...options, store, port: 0, closeStore: true })
    }),
  ),
)
