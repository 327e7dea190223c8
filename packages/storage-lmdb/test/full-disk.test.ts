import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions } from '../src/index.ts'
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

/** A tree on a disk, in a process of its own, that logs no changes. */
class TreeOnDisk implements AsyncDisposable {
  readonly #built = temporaryFolder()
  readonly #folder: TemporaryFolder
  readonly #said = join(this.#built.path, 'said')
  readonly path: string
  /** A file that takes room from it. */
  readonly ballast: string
  readonly process: TreeProcess

  private constructor(disk: SmallDisk, options: Partial<OpenTreeOptions>) {
    this.#folder = temporaryFolder(disk.path)
    this.path = join(this.#folder.path, 'data')
    this.ballast = join(this.#folder.path, 'ballast')
    this.process = new TreeProcess(
      { path: this.path, log: { maxBytes: 0 }, ...options },
      buildFailingCalls(this.#built.path),
      join(this.#built.path, 'words'),
      this.#said,
    )
  }

  static async open(disk: SmallDisk, options: Partial<OpenTreeOptions> = {}): Promise<TreeOnDisk> {
    const opened = new TreeOnDisk(disk, options)
    const answer = await opened.process.answer()
    if (answer !== 'open') throw new Error(`Cannot open it: ${String(answer)}`)
    return opened
  }

  async call(...command: readonly [name: string, ...args: unknown[]]): Promise<unknown> {
    return this.process.call(...command)
  }

  async rows(): Promise<number> {
    return ((await this.call('stats')) as { rows: number }).rows
  }

  /** Leaves nothing of its disk to others. */
  fillUp(): void {
    try {
      writeFileSync(this.ballast, Buffer.alloc(64 * MIB))
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('ENOSPC')) return
      throw error
    }
    throw new Error('The disk is larger than it should be')
  }

  /** Ends it. @returns its exit code, and what it said about errors: LMDB prints each of its own. */
  async finish(): Promise<{ readonly code: number | null; readonly said: string }> {
    return { code: await this.process.finish(), said: readFileSync(this.#said, 'utf8') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]()
    this.#folder[Symbol.dispose]()
    this.#built[Symbol.dispose]()
  }
}

/** Fills a disk, sees that what was answered is there, and goes on when there is room again. */
async function fillUp(disk: SmallDisk): Promise<void> {
  await using tree = await TreeOnDisk.open(disk)
  const { path, ballast } = tree
  writeFileSync(ballast, Buffer.alloc(8 * MIB))
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
  expect(await tree.finish()).toMatchObject({ code: 0 })
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
    await using tree = await TreeOnDisk.open(disks.ext4)
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
    expect(await tree.finish()).toEqual({ code: 0, said: expect.not.stringContaining('rror') })
  },
)

test.skipIf(!canBuild || !disks.ext4.isMounted)(
  'nor by long values where short ones were, and all can be deleted there',
  async () => {
    await using tree = await TreeOnDisk.open(disks.ext4, { durability: 'relaxed' })
    const text = 'x'.repeat(3000)
    for (let number = 0; number < 2000; number++) {
      expect(await tree.call('setSync', `/short/n${number}`, text)).toBe(null)
    }
    for (let number = 0; number < 2000; number += 2) {
      expect(await tree.call('deleteSync', `/short/n${number}`)).toBe(null)
    }
    tree.fillUp()
    const answers: unknown[] = []
    for (let number = 0; number < 20; number++) {
      answers.push(await tree.call('setSync', `/long/n${number}`, 'y'.repeat(700_000)))
    }
    expect(answers.at(-1)).toBe('ERR_STORE_FULL')
    expect(await tree.call('deleteSync', '/short')).toBe(null)
    while ((await tree.rows()) > 100);
    expect(await tree.finish()).toEqual({ code: 0, said: expect.not.stringContaining('rror') })
  },
)

test.skipIf(!canBuild || !disks.tmpfs.isMounted)(
  'a small write fits on a full disk, where the rows that it was to carry do not',
  async () => {
    await using tree = await TreeOnDisk.open(disks.tmpfs)
    expect(await tree.call('begin', 3.8)).toBe(null)
    // So that nothing waits, and there are pages to be used again.
    for (let number = 0; number < 20; number++) {
      expect(await tree.call('setSync', '/small', number)).toBe(null)
    }
    tree.fillUp()
    // Nor is there any more of what was taken ahead.
    const text = 'x'.repeat(50_000)
    for (let number = 0; (await tree.call('setSync', `/n${number}`, text)) === null; number++);
    expect(await tree.call('goOn', 0.1)).toBe(null)
    const before = await tree.rows()
    for (let number = 0; number < 3; number++) {
      expect(await tree.call('setSync', '/small', number)).toBe(null)
    }
    expect(await tree.rows()).toBe(before)
    rmSync(tree.ballast)
    expect(await tree.call('goOn', 0.01)).toBe(null)
    expect(await tree.call('setSync', '/small', 'carrying')).toBe(null)
    expect(await tree.rows()).toBeGreaterThan(before + 50)
    expect(await tree.finish()).toMatchObject({ code: 0 })
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
