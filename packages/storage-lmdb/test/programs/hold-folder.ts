/** Opens the folder that is its argument, says so, and holds it: until its input ends, or stuck for ever. */
import { openTree } from '../../src/index.ts'

const [path = '', how = 'patient'] = process.argv.slice(2)
try {
  const tree = await openTree({ path })
  console.log('open')
  if (how === 'stuck') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  for await (const _ of process.stdin);
  await tree.close()
  console.log('closed')
} catch (error) {
  console.log(error instanceof Error && 'code' in error ? error.code : error)
}
