/**
 * Opens the tree in a folder with no descriptor left, then with one, and so on, and prints a JSON array of what it came
 * to each time: `open`, or the code of the error. Has to run where there are not too many.
 *
 * @param path Of the folder.
 * @param most So many are left at last.
 */
import { closeSync, openSync } from 'node:fs'
import { openTree } from '../../src/index.ts'

const [path = '', most = ''] = process.argv.slice(2)

// What is loaded at the first opening.
await (await openTree({ path })).close()

const held: number[] = []
for (;;) {
  try {
    held.push(openSync('/dev/null', 'r'))
  } catch {
    break
  }
}
const outcomes: unknown[] = []
for (let left = 0; left <= Number(most); left++) {
  try {
    await (await openTree({ path })).close()
    outcomes.push('open')
  } catch (error) {
    outcomes.push(error instanceof Error && 'code' in error ? error.code : String(error))
  }
  closeSync(held.pop()!)
}
for (const descriptor of held) closeSync(descriptor)
console.log(JSON.stringify(outcomes))
