// Describes a folder for threads to open, and prints how many libraries of lmdb that has loaded; then opens it.
import process from 'node:process'
import { lmdbStorage } from '@elkyn/storage-lmdb/descriptor'
import type { StoreModule } from '@elkyn/tree'

const { module, options } = lmdbStorage({ path: process.argv[2] ?? '' })
console.log(loadedLibraries())
const opener = (await import(module)) as StoreModule
const store = await opener.openStore(options, {})
console.log(loadedLibraries())
await store.close()

function loadedLibraries(): number {
  const { sharedObjects } = process.report.getReport() as { sharedObjects: string[] }
  return sharedObjects.filter((path) => path.includes('lmdb')).length
}
