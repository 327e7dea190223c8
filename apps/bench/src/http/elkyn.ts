import { SimpleHttpServer } from '@elkyn/http-server'
import { openTree } from '@elkyn/storage-lmdb'
import { loadTree } from '../engines/elkyn.ts'
import { LIST } from '../records.ts'
import { itemBatches } from '../works/work.ts'
import type { BenchServer } from './server.ts'

export async function startElkyn(folder: string, records: number): Promise<BenchServer> {
  const tree = await openTree({ path: folder })
  loadTree(tree, itemBatches(0, records))
  const server = new SimpleHttpServer({ store: tree.store, port: 0 })
  await server.start()
  return {
    port: server.address().port,
    pathOf: (key) => `/${LIST}/${key}.json`,
    recordIn: (body) => body,
    async close() {
      await server.close()
      await tree.close()
    },
  }
}
