import { tmpdir } from 'node:os'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { createPermits } from '../../src/pool/scan-permits.ts'
import { SpoolRoom } from '../../src/pool/spool-room.ts'
import type { ThreadData } from '../../src/pool/thread-data.ts'
import { progressBytes } from '../../src/pool/writer-progress.ts'

/** What a thread of a server is told that has its store in a folder. */
export function threadData(path: string): ThreadData {
  return {
    store: lmdbStorage({ path }),
    channel: path,
    maxBodyBytes: 1e6,
    maxStreamedAnswers: 1,
    plan: {
      namespace: undefined,
      namespaces: undefined,
      maxAnswerBytes: Infinity,
      maxHeldValues: 100_000,
      allDatabases: false,
      compressFromBytes: 1024,
      backslashesInUrls: false,
    },
    patienceMs: 1000,
    spool: SpoolRoom.create(1e6, tmpdir()).shared,
    permits: createPermits(1),
    pieces: new SharedArrayBuffer(0),
    progress: new SharedArrayBuffer(progressBytes),
  }
}
