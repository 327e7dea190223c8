// Beside conformance.test.ts, so that both can run at once.
import { describeTreeStore } from '@elkyn/tree/conformance'
import { describe, expect, test } from 'vitest'
import { opener } from './opened-store.ts'

const api = { describe, test, expect }
const encryptionKey = Buffer.alloc(32, 'key')

describeTreeStore('a sealed store', opener({ encryptionKey }), api)
describeTreeStore(
  'a sealed store with short rows',
  opener({ encryptionKey, rowMaxBytes: 200 }),
  api,
)
