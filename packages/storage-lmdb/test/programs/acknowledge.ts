/**
 * Writes numbered records and prints each number when its write is answered, straight to the
 * descriptor: no buffer of Node's lies between. With `wait` it writes one more for each line of its
 * input and then closes.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { openTree } from '../../src/index.ts'

const [path = '', durability = 'full', writes = '10', first = '1', wait] = process.argv.slice(2)
await using tree = await openTree({ path, durability: durability as 'full' | 'relaxed' })
writeSync(1, 'open\n')

async function write(number: number): Promise<void> {
  const name = `r${number}`
  if (number % 3 === 0) tree.setSync(`/records/${name}`, { number })
  else {
    await tree.update('/', {
      [`records/${name}/number`]: number,
      [`twice/${name}`]: number,
      last: number,
    })
  }
  writeSync(1, `${number}\n`)
}

let number = Number(first)
for (const end = number + Number(writes); number < end; number++) await write(number)
if (wait === 'wait') for await (const _ of createInterface(process.stdin)) await write(number++)
