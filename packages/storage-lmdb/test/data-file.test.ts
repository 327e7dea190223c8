import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import { runProgram } from './program.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { createBarrier } from './threads/barrier.ts'
import { runThread } from './threads/thread.ts'

const PAGE_BYTES = 4096
/** Where a meta page says which one is the last page, and which commit is its own. */
const LAST_PAGE = 144
const TRANSACTION = 152

const rows = Object.fromEntries(
  Array.from({ length: 500 }, (_, row) => [`r${row}`, 'x'.repeat(500)]),
)

async function makeRows(path: string): Promise<string> {
  await using tree = await openTree({ path, durability: 'relaxed' })
  tree.setSync('/rows', rows)
  tree.setSync('/long', 'x'.repeat(100_000))
  return join(path, 'data.mdb')
}

/** The code that opening fails with, in each way, after which the file is as it was. */
async function codeOf(path: string): Promise<unknown> {
  const file = join(path, 'data.mdb')
  const before = existsSync(file) ? readFileSync(file) : undefined
  const failures = [
    await openTree({ path }).catch(codeOfError),
    await openTree({ path, readOnly: true }).catch(codeOfError),
    await compactTree({ path }).catch(codeOfError),
  ]
  const after = existsSync(file) ? readFileSync(file) : undefined
  expect(before === undefined ? after === undefined : after?.equals(before)).toBe(true)
  expect(new Set(failures).size).toBe(1)
  return failures[0]
}

function codeOfError(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}

/** The offset of the meta page that counts. */
function newestMeta(bytes: Buffer): number {
  const [first, second] = [0, PAGE_BYTES].map((at) => bytes.readBigUInt64LE(at + TRANSACTION))
  return first! >= second! ? 0 : PAGE_BYTES
}

test('a data file that was cut off is refused', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const file = await makeRows(path)
  const whole = readFileSync(file)
  const pages = whole.length / PAGE_BYTES
  const used = 1 + Number(whole.readBigUInt64LE(newestMeta(whole) + LAST_PAGE))
  for (const bytes of [1, 100, 167, PAGE_BYTES, PAGE_BYTES + 100, 2 * PAGE_BYTES]) {
    writeFileSync(file, whole.subarray(0, bytes))
    expect(await codeOf(path)).toBe('ERR_STORE_CORRUPT')
  }
  for (const left of [pages / 4, pages / 2, (3 * pages) / 4]) {
    writeFileSync(file, whole.subarray(0, Math.floor(left) * PAGE_BYTES))
    expect(await codeOf(path)).toBe('ERR_STORE_CORRUPT')
  }
  // A longer one than it has to be is right.
  writeFileSync(file, whole.subarray(0, used * PAGE_BYTES))
  appendFileSync(file, Buffer.alloc(10 * PAGE_BYTES + 1))
  await using tree = await openTree({ path })
  expect(tree.get('/rows')).toEqual(rows)
})

test('a data file of other bytes is refused', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const file = await makeRows(path)
  const whole = readFileSync(file)
  const damaged = {
    zeros: Buffer.alloc(whole.length),
    ones: Buffer.alloc(whole.length, 0xff),
    text: Buffer.alloc(whole.length, 'text'),
    first: Buffer.concat([Buffer.alloc(PAGE_BYTES), whole.subarray(PAGE_BYTES)]),
    second: Buffer.concat([
      whole.subarray(0, PAGE_BYTES),
      Buffer.alloc(PAGE_BYTES, 0xff),
      whole.subarray(2 * PAGE_BYTES),
    ]),
    pageSize: Buffer.from(whole),
  }
  damaged.pageSize.writeUInt32LE(4095, 48)
  for (const [name, bytes] of Object.entries(damaged)) {
    writeFileSync(file, bytes)
    expect([name, await codeOf(path)]).toEqual([name, 'ERR_STORE_CORRUPT'])
  }
  const other = Buffer.from(whole)
  other.writeUInt32LE(3, 28)
  other.writeUInt32LE(3, PAGE_BYTES + 28)
  writeFileSync(file, other)
  expect(await codeOf(path)).toBe('ERR_FORMAT_UNKNOWN')
  writeFileSync(file, whole)
  await using tree = await openTree({ path })
  expect(tree.get('/rows')).toEqual(rows)
})

test('a data file that lacks only pages that nothing uses opens', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const file = await makeRows(path)
  const bytes = readFileSync(file)
  // As after a commit in which these pages came and went again.
  const meta = newestMeta(bytes)
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(meta + LAST_PAGE) + 100n, meta + LAST_PAGE)
  writeFileSync(file, bytes)
  {
    await using tree = await openTree({ path })
    expect(tree.get('/rows')).toEqual(rows)
  }
  await compactTree({ path })
  await using tree = await openTree({ path })
  for (let round = 0; round < 5; round++) {
    tree.setSync(`/more${round}`, 'y'.repeat(500_000))
    expect(tree.get(`/more${round}`)).toBe('y'.repeat(500_000))
  }
})

test('a data file that cannot be read is refused', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const file = await makeRows(path)
  rmSync(file)
  mkdirSync(file)
  for (const open of [openTree, compactTree]) {
    await expect(open({ path })).rejects.toMatchObject({ code: 'ERR_FOLDER_INVALID' })
  }
})

test('a folder whose data file is gone or empty is refused', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const file = await makeRows(path)
  copyFileSync(file, join(path, 'kept'))
  rmSync(file)
  expect(await codeOf(path)).toBe('ERR_STORE_CORRUPT')
  writeFileSync(file, '')
  expect(await codeOf(path)).toBe('ERR_STORE_CORRUPT')
  copyFileSync(join(path, 'kept'), file)
  await using tree = await openTree({ path })
  expect(tree.get('/rows')).toEqual(rows)
  await tree.backup(join(path, 'backup'))
  rmSync(join(path, 'backup', 'data.mdb'))
  expect(await codeOf(join(path, 'backup'))).toBe('ERR_STORE_CORRUPT')
})

test('a folder that was cut off while it was made opens, as does one of an older version', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const file = await makeRows(path)
  const info = join(path, 'elkyn.json')
  const made = JSON.parse(readFileSync(info, 'utf8')) as Record<string, unknown>
  const { hasData, ...older } = made
  expect(hasData).toBe(true)
  writeFileSync(info, JSON.stringify(older))
  {
    await using tree = await openTree({ path })
    expect(tree.get('/rows')).toEqual(rows)
  }
  expect(JSON.parse(readFileSync(info, 'utf8'))).toEqual(made)
  for (const cut of [
    () => {
      rmSync(file)
    },
    () => {
      writeFileSync(file, '')
    },
  ]) {
    writeFileSync(info, JSON.stringify(older))
    cut()
    await using tree = await openTree({ path })
    expect(tree.get('/')).toBe(null)
    tree.setSync('/a', 1)
  }
  writeFileSync(info, JSON.stringify(older))
  truncateSync(file, PAGE_BYTES)
  expect(await codeOf(path)).toBe('ERR_STORE_CORRUPT')
})

test('a folder opens while another thread writes to it', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const barrier = createBarrier(1)
  const options = { path: folder.path, durability: 'relaxed' } as const
  const threads = Array.from({ length: 4 }, (_, index) =>
    runThread('open-together', { options, barrier, name: `t${index}` }),
  )
  const opened = Promise.all(threads.map(async (thread) => thread.message()))
  let isOpening = true
  void opened.finally(() => {
    isOpening = false
  })
  // oxlint-disable-next-line no-unmodified-loop-condition -- by the promise
  for (let round = 0; isOpening; round++) {
    await tree.set(`/rows/r${round % 50}`, 'x'.repeat((round * 7919) % 20_000))
  }
  await opened
  await Promise.all(threads.map(async (thread) => thread.ended()))
})

test('a process that is killed while it makes a folder leaves one that opens', async () => {
  for (let round = 0; round < 6; round++) {
    using folder = temporaryFolder()
    const path = join(folder.path, 'data')
    await using program = runProgram('hold-folder', [path])
    while (!existsSync(join(path, ['elkyn.json', 'lock.mdb', 'data.mdb'][round % 3]!)));
    await program.kill()
    await using tree = await openTree({ path })
    tree.setSync('/a', 1)
    expect(tree.get('/')).toEqual({ a: 1 })
  }
})
