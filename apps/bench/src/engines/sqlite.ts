import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Engine } from './engine.ts'

/** better-sqlite3 with one JSON row a record. */
export function openSqlite(folder: string): Engine {
  const db = new Database(join(folder, 'records.sqlite'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE records (key TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID')
  // As a blob, since the bytes are wanted and not a string.
  const select = db.prepare('SELECT CAST(json AS BLOB) FROM records WHERE key = ?').pluck()
  const insert = db.prepare('INSERT OR REPLACE INTO records VALUES (?, CAST(? AS TEXT))')
  const update = db.prepare('UPDATE records SET json = json_set(json, ?, ?) WHERE key = ?')
  const all = db.prepare('SELECT key, CAST(json AS BLOB) FROM records ORDER BY key').raw()
  return {
    durability: 'fsync a commit (WAL, synchronous = FULL)',
    load(batches) {
      for (const batch of batches) {
        db.transaction(() => {
          for (const { key, json } of batch) insert.run(key, json)
        })()
      }
    },
    get: (key) => select.get(key) as Buffer | undefined,
    read(keys) {
      let bytes = 0
      for (const key of keys) bytes += (select.get(key) as Buffer).length
      return bytes
    },
    write(batches) {
      for (const batch of batches) {
        db.transaction(() => {
          for (const { key, json } of batch) insert.run(key, json)
        })()
      }
    },
    update(batches) {
      for (const batch of batches) {
        db.transaction(() => {
          // A number would be bound as a double and be written as `1.0`.
          for (const { key, field, value } of batch) update.run(`$.${field}`, BigInt(value), key)
        })()
      }
    },
    scan() {
      let bytes = 0
      for (const row of all.iterate()) {
        const [key, json] = row as [string, Buffer]
        bytes += key.length + json.length
      }
      return bytes
    },
    close: async () => {
      db.close()
    },
  }
}
