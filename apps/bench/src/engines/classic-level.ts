import { ClassicLevel } from 'classic-level'
import type { Engine } from './engine.ts'

/** classic-level (LevelDB): one entry a record, its JSON as the value. */
export async function openClassicLevel(folder: string): Promise<Engine> {
  const db = new ClassicLevel<string, Buffer>(folder, { valueEncoding: 'buffer' })
  await db.open()
  return {
    durability: 'fsync a batch (sync: true)',
    async load(batches) {
      for (const batch of batches) {
        await db.batch(batch.map(({ key, json }) => ({ type: 'put', key, value: json })))
      }
    },
    get: (key) => db.getSync(key),
    read(keys) {
      let bytes = 0
      for (const key of keys) bytes += db.getSync(key)!.length
      return bytes
    },
    async write(batches) {
      for (const batch of batches) {
        await db.batch(
          batch.map(({ key, json }) => ({ type: 'put', key, value: json })),
          { sync: true },
        )
      }
    },
    async update(batches) {
      for (const batch of batches) {
        const puts = batch.map(({ key, field, value }) => {
          const record = JSON.parse(db.getSync(key)!.toString()) as Record<string, unknown>
          record[field] = value
          return { type: 'put' as const, key, value: Buffer.from(JSON.stringify(record)) }
        })
        await db.batch(puts, { sync: true })
      }
    },
    async scan() {
      let bytes = 0
      const iterator = db.iterator()
      try {
        for (;;) {
          const entries = await iterator.nextv(1000)
          if (entries.length === 0) return bytes
          for (const [key, value] of entries) bytes += key.length + value.length
        }
      } finally {
        await iterator.close()
      }
    },
    close: async () => db.close(),
  }
}
