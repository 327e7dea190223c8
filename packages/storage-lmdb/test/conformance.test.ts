import { describeTreeStore } from '@elkyn/tree/conformance'
import { describe, expect, test } from 'vitest'
import { opener } from './opened-store.ts'

const api = { describe, test, expect }

describeTreeStore('a store', opener({}), api)
describeTreeStore('a store with rows of one byte', opener({ rowMaxBytes: 1 }), api)
describeTreeStore('a store with rows of 60 bytes', opener({ rowMaxBytes: 60 }), api)
describeTreeStore('a store with the longest rows', opener({ rowMaxBytes: 65_536 }), api)
