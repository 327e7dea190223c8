import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { RunningServer, closed, elkyn, spawnElkyn } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'

const records = 80_000
const heapMiB = 48

/** A list of 80 MB, in the very text that an export gives. */
function* document(): Generator<string> {
  for (let id = 0; id < records; id++) {
    yield `${id === 0 ? '[' : ','}{"id":${id},"text":"${String(id).padStart(1000, 'x')}"}`
  }
  yield ']\n'
}

async function digest(input: Readable): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(input, hash)
  return hash.digest('hex')
}

test('a document that is larger than the memory goes in and out', async () => {
  await using folder = await temporaryFolder()
  // Only the heap is limited, and that is where the document would be if it were held.
  const env = { NODE_OPTIONS: `--max-old-space-size=${heapMiB}` }
  await using server = await RunningServer.start(folder.file('served'), [], { env })
  const expected = await digest(Readable.from(document()))
  for (const target of [
    ['--data', folder.file('data')],
    ['--url', server.url],
  ]) {
    const importing = spawnElkyn(['import', '-', '--path', '/list', ...target], { env })
    await pipeline(Readable.from(document()), importing.stdin)
    await closed(importing)
    expect(importing.exitCode).toBe(0)

    const out = folder.file('out.json')
    const args = ['export', '--plain', '--path', '/list', '--out', out, ...target]
    expect(await elkyn(args, { env })).toMatchObject({ code: 0 })
    expect(await digest(createReadStream(out))).toBe(expected)
  }
})
