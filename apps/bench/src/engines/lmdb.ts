import { open } from 'lmdb'
import { LIST } from '../records.ts'
import type { Engine } from './engine.ts'

/** The npm package lmdb by itself: one entry a record, its JSON as the value. */
export function openLmdb(folder: string): Engine {
  const db = open<Buffer, string>({
    path: folder,
    encoding: 'binary',
    // As the store above it: a commit is synced when it returns.
    overlappingSync: false,
  } as Parameters<typeof open>[0] & { path: string })
  return {
    durability: 'fsync a commit',
    load(batches) {
      for (const batch of batches) {
        db.transactionSync(() => {
          for (const { key, json } of batch) void db.put(`${LIST}/${key}`, json)
        })
      }
    },
    get: (key) => db.getBinary(`${LIST}/${key}`),
    read(keys) {
      let bytes = 0
      for (const key of keys) bytes += db.getBinary(`${LIST}/${key}`)!.length
      return bytes
    },
    write(batches) {
      for (const batch of batches) {
        db.transactionSync(() => {
          for (const { key, json } of batch) void db.put(`${LIST}/${key}`, json)
        })
      }
    },
    update(batches) {
      for (const batch of batches) {
        db.transactionSync(() => {
          for (const { key, field, value } of batch) {
            const path = `${LIST}/${key}`
            const record = JSON.parse(db.getBinary(path)!.toString()) as Record<string, unknown>
            record[field] = value
            void db.put(path, Buffer.from(JSON.stringify(record)))
          }
        })
      }
    },
    scan() {
      let bytes = 0
      for (const { key, value } of db.getRange({ start: `${LIST}/`, end: `${LIST}0` })) {
        bytes += key.length + value.length - LIST.length - 1
      }
      return bytes
    },
    close: async () => db.close(),
  }
}
