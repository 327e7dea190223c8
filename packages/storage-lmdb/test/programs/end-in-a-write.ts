/** Ends the process with code 3 in a write to the folder that is its argument. */
import { openTree } from '../../src/index.ts'

const tree = await openTree({ path: process.argv[2] ?? '' })
await tree.transaction('/a', () => process.exit(3))
