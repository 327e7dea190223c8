/** Opens a store by its descriptor, as a server's thread does, and says what it found. */
import { parentPort, workerData } from 'node:worker_threads'
import { parsePath, rootPath } from '@elkyn/tree'
import type { OpenStoreOptions, StoreDescriptor, StoreModule } from '@elkyn/tree'

const { descriptor, how } = workerData as { descriptor: StoreDescriptor; how: OpenStoreOptions }
const module = (await import(descriptor.module)) as StoreModule
await using store = await module.openStore(descriptor.options, how)

function write(): string {
  try {
    const [outcome] = store.commit([{ pairs: [{ path: parsePath('/written'), value: true }] }])
    return outcome?.ok === true ? 'written' : 'refused'
  } catch (error) {
    return (error as Error).name
  }
}

const found = [write()]
using snapshot = store.snapshot()
found.push(snapshot.get(rootPath).text)
snapshot.close()
parentPort!.postMessage(found)
