import { AceBase } from 'acebase'
import type { DataSnapshot } from 'acebase'
import { LIST } from '../records.ts'
import type { Item } from '../records.ts'
import type { Engine } from './engine.ts'

/** AceBase in the process, on its own binary storage. */
export async function openAceBase(folder: string): Promise<Engine> {
  const db = new AceBase('bench', {
    logLevel: 'error',
    sponsor: true,
    storage: { path: folder },
  })
  await db.ready()
  const list = db.ref(LIST)
  const bytesOf = (snapshot: DataSnapshot): Buffer => Buffer.from(JSON.stringify(snapshot.val()))
  const put = async (batch: readonly Item[]): Promise<void> => {
    await list.update(
      Object.fromEntries(batch.map(({ key, json }) => [key, JSON.parse(json.toString())])),
    )
  }
  return {
    durability: 'none: it never calls fsync',
    async load(batches) {
      for (const batch of batches) await put(batch)
    },
    get: async (key) => bytesOf(await list.child(key).get()),
    async read(keys) {
      let bytes = 0
      for (const key of keys) bytes += bytesOf(await list.child(key).get()).length
      return bytes
    },
    async write(batches) {
      for (const batch of batches) await put(batch)
    },
    async update(batches) {
      for (const batch of batches) {
        // It has no update of several paths at once.
        await Promise.all(
          batch.map(async ({ key, field, value }) => list.child(key).update({ [field]: value })),
        )
      }
    },
    async scan() {
      return bytesOf(await list.get()).length
    },
    close: async () => {
      await db.close()
    },
  }
}
