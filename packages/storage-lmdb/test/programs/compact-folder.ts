/** Compacts the folder that is its argument, and says when it begins and when it is done. */
import { compactTree } from '../../src/index.ts'

console.log('compacting')
await compactTree({ path: process.argv[2] ?? '' })
console.log('done')
