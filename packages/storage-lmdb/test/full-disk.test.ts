import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import { buildFailingCalls, canBuild } from './failing-calls.ts'
import { reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'
import { TreeProcess } from './tree-process.ts'

const MIB = 1024 * 1024

/** A disk of its own that is small enough to be filled. */
class SmallDisk implements Disposable {
  readonly #folder: TemporaryFolder = temporaryFolder()
  readonly path: string
  readonly isMounted: boolean

  constructor(type: 'tmpfs' | 'ext4', mebibytes: number) {
    this.path = join(this.#folder.path, 'disk')
    mkdirSync(this.path)
    this.isMounted = type === 'tmpfs' ? this.#mountMemory(mebibytes) : this.#mountFile(mebibytes)
  }

  [Symbol.dispose](): void {
    if (this.isMounted) run('umount', [this.path])
    this.#folder[Symbol.dispose]()
  }

  #mountMemory(mebibytes: number): boolean {
    return run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', this.path])
  }

  #mountFile(mebibytes: number): boolean {
    const file = join(this.#folder.path, 'image')
    writeFileSync(file, Buffer.alloc(mebibytes * MIB))
    return (
      run('mkfs.ext4', ['-q', '-F', '-m', '0', '-O', '^has_journal', file]) &&
      run('mount', ['-o', 'loop', file, this.path])
    )
  }
}

function run(command: string, options: readonly string[]): boolean {
  return spawnSync(command, options).status === 0
}

// Only root may mount, and not in every container: elsewhere these tests are listed as skipped.
const disks = { tmpfs: new SmallDisk('tmpfs', 64), ext4: new SmallDisk('ext4', 64) }

afterAll(() => {
  disks.tmpfs[Symbol.dispose]()
  disks.ext4[Symbol.dispose]()
})

/** Fills a disk, sees that what was answered is there, and goes on when there is room again. */
async function fillUp(disk: SmallDisk): Promise<void> {
  using built = temporaryFolder()
  using folder = temporaryFolder(disk.path)
  const path = join(folder.path, 'data')
  const ballast = join(folder.path, 'ballast')
  writeFileSync(ballast, Buffer.alloc(8 * MIB))
  await using tree = new TreeProcess(
    { path, log: { maxBytes: 0 } },
    buildFailingCalls(built.path),
    join(built.path, 'words'),
  )
  expect(await tree.answer()).toBe('open')
  const text = 'x'.repeat(100_000)
  let written = 0
  const write = async () => tree.call('setSync', `/filled/n${written}`, { number: written, text })
  let result = await write()
  for (; result === null; result = await write()) written++
  expect(result).toBe('ERR_STORE_FULL')
  expect(written).toBeGreaterThan(10)
  const check = async () => {
    expect(await tree.call('keys', '/filled')).toHaveLength(written)
    expect(await tree.call('get', `/filled/n${written - 1}`)).toEqual({ number: written - 1, text })
  }
  await check()
  for (let round = 0; round < 3; round++) {
    expect(await write()).toBe('ERR_STORE_FULL')
    expect(await tree.call('set', '/other', text + text)).toBe('ERR_STORE_FULL')
    await check()
  }
  rmSync(ballast)
  expect(await write()).toBe(null)
  written++
  expect(await tree.call('set', '/other', text)).toBe(null)
  await check()
  expect(await tree.finish()).toBe(0)
  await using reopened = await openTree({ path })
  expect(reopened.keys('/filled')).toHaveLength(written)
  reopened.deleteSync('/')
  expect(await reclaimed(reopened)).toMatchObject({ rows: 0, graves: 0 })
}

test.skipIf(!canBuild || !disks.tmpfs.isMounted)(
  'a full disk in memory fails writes until there is room',
  async () => {
    await fillUp(disks.tmpfs)
  },
)

test.skipIf(!canBuild || !disks.ext4.isMounted)(
  'a full ext4 disk fails writes until there is room',
  async () => {
    await fillUp(disks.ext4)
  },
)

test.skipIf(!canBuild || !disks.ext4.isMounted)(
  'LMDB does not meet a full disk, which would make it write over the end of its memory',
  async () => {
    using built = temporaryFolder()
    using folder = temporaryFolder(disks.ext4.path)
    const said = join(built.path, 'said')
    await using tree = new TreeProcess(
      { path: join(folder.path, 'data'), log: { maxBytes: 0 } },
      buildFailingCalls(built.path),
      join(built.path, 'words'),
      said,
    )
    expect(await tree.answer()).toBe('open')
    const sizes = [1_000_000, 3000, 700_000, 100, 200_000]
    const answers: unknown[] = []
    for (let number = 0; number < 300; number++) {
      const text = 'x'.repeat(sizes[number % sizes.length]!)
      answers.push(await tree.call('setSync', `/n${number}`, text))
    }
    expect(new Set(answers)).toEqual(new Set([null, 'ERR_STORE_FULL']))
    // Most of the disk was used, and small ones go on longer.
    const count = (from: number): number =>
      answers.filter((answer, index) => answer === null && index % sizes.length === from).length
    expect(count(0)).toBeGreaterThan(15)
    expect(count(3)).toBeGreaterThan(count(0))
    expect(await tree.finish()).toBe(0)
    expect(readFileSync(said, 'utf8')).not.toContain('rror')
  },
)

test.skipIf(!canBuild || !disks.ext4.isMounted)(
  'nor by long values where short ones were, and all can be deleted there',
  async () => {
    using built = temporaryFolder()
    using folder = temporaryFolder(disks.ext4.path)
    const said = join(built.path, 'said')
    await using tree = new TreeProcess(
      { path: join(folder.path, 'data'), log: { maxBytes: 0 }, durability: 'relaxed' },
      buildFailingCalls(built.path),
      join(built.path, 'words'),
      said,
    )
    expect(await tree.answer()).toBe('open')
    const text = 'x'.repeat(3000)
    for (let number = 0; number < 2000; number++) {
      expect(await tree.call('setSync', `/short/n${number}`, text)).toBe(null)
    }
    for (let number = 0; number < 2000; number += 2) {
      expect(await tree.call('deleteSync', `/short/n${number}`)).toBe(null)
    }
    expect(() => {
      writeFileSync(join(folder.path, 'ballast'), Buffer.alloc(64 * MIB))
    }).toThrow(/ENOSPC/)
    const answers: unknown[] = []
    for (let number = 0; number < 20; number++) {
      answers.push(await tree.call('setSync', `/long/n${number}`, 'y'.repeat(700_000)))
    }
    expect(answers.at(-1)).toBe('ERR_STORE_FULL')
    expect(await tree.call('deleteSync', '/short')).toBe(null)
    const rows = async () => ((await tree.call('stats')) as { rows: number }).rows
    while ((await rows()) > 100);
    expect(await tree.finish()).toBe(0)
    expect(readFileSync(said, 'utf8')).not.toContain('rror')
  },
)

test.skipIf(!canBuild || !disks.tmpfs.isMounted)(
  'a small write fits on a full disk, where the rows that it was to carry do not',
  async () => {
    using built = temporaryFolder()
    using folder = temporaryFolder(disks.tmpfs.path)
    const ballast = join(folder.path, 'ballast')
    await using tree = new TreeProcess(
      { path: join(folder.path, 'data'), log: { maxBytes: 0 } },
      buildFailingCalls(built.path),
      join(built.path, 'words'),
    )
    expect(await tree.answer()).toBe('open')
    expect(await tree.call('begin', 3.8)).toBe(null)
    // So that nothing waits, and there are pages to be used again.
    for (let number = 0; number < 20; number++) {
      expect(await tree.call('setSync', '/small', number)).toBe(null)
    }
    expect(() => writeFileSync(ballast, Buffer.alloc(64 * MIB))).toThrow(/ENOSPC/)
    const rowsOf = async () => ((await tree.call('stats')) as { rows: number }).rows
    // Nor is there any more of what was taken ahead.
    const text = 'x'.repeat(50_000)
    for (let number = 0; (await tree.call('setSync', `/n${number}`, text)) === null; number++);
    expect(await tree.call('goOn', 0.1)).toBe(null)
    const before = await rowsOf()
    for (let number = 0; number < 3; number++) {
      expect(await tree.call('setSync', '/small', number)).toBe(null)
    }
    expect(await rowsOf()).toBe(before)
    rmSync(ballast)
    expect(await tree.call('goOn', 0.01)).toBe(null)
    expect(await tree.call('setSync', '/small', 'carrying')).toBe(null)
    expect(await rowsOf()).toBeGreaterThan(before + 50)
    expect(await tree.finish()).toBe(0)
  },
)

test.skipIf(!disks.tmpfs.isMounted)('a backup that does not fit leaves nothing', async () => {
  using folder = temporaryFolder()
  const copy = join(disks.tmpfs.path, 'copy')
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  for (let index = 0; index < 70; index++) tree.setSync(`/n${index}`, 'x'.repeat(MIB))
  const full: unknown = expect.objectContaining({ code: 'ERR_STORE_FULL' })
  for (let round = 0; round < 2; round++) {
    await expect(tree.backup(copy)).rejects.toThrow(full)
    expect(readdirSync(copy)).toEqual([])
  }
  tree.deleteSync('/')
  await reclaimed(tree)
})
