/*
 * LMDB maps its file into memory and takes what it finds there for right: where the file is cut off or was
 * overwritten, it does not fail but ends the process. So this looks, before LMDB opens the file, at what LMDB will
 * go by. The layout is that of mdb.c in lmdb 3.5, for 64 bits and little-endian:
 *
 * | bytes | of a page |
 * | --- | --- |
 * | 0, 8 | its number |
 * | 18, 2 | what it is |
 * | 20, 2 | twice the number of its nodes; or 4 bytes: how many pages a long value takes |
 * | 24 | a meta page, or offsets of the nodes, 2 bytes each, from 24 on |
 *
 * | bytes | of a meta page |
 * | --- | --- |
 * | 24, 4 | a magic number |
 * | 28, 2 | version of the format |
 * | 48, 4 | size of a page |
 * | 88, 8 | root of the table of free pages |
 * | 136, 8 | root of the main table, whose entries are all other tables |
 * | 144, 8 | number of the last page |
 * | 152, 8 | number of the commit |
 *
 * | bytes | of a node |
 * | --- | --- |
 * | 0, 6 | of a branch: number of the page below |
 * | 0, 4 | of a leaf: bytes of the value |
 * | 4, 2 | of a leaf: what the value is |
 * | 6, 2 | bytes of the key |
 * | 8 | key, then value: the bytes, or the number of the pages that have them, or a table |
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { StorageError } from './errors.ts'

const MAGIC = 0xbeefc0de
const DATA_VERSION = 2

const PageOffset = { flags: 18, nodes: 20 } as const
const HEADER_BYTES = 24

const MetaOffset = {
  magic: 24,
  version: 28,
  pageBytes: 48,
  freeRoot: 88,
  mainRoot: 136,
  lastPage: 144,
  transaction: 152,
} as const
const META_BYTES = 168

const NodeOffset = { flags: 4, keyBytes: 6 } as const
const NODE_BYTES = 8
/** Of a page's number in a branch. */
const NUMBER_BYTES = 6
/** A table in a node; its root is the last 8 of them. */
const TABLE_BYTES = 48
/** What says where a long value is: its first page is the first 8, the number of its pages the last. */
const LONG_BYTES = 24

const PageFlag = { branch: 0x01, leaf: 0x02, meta: 0x08 } as const
const NodeFlag = { long: 0x01, table: 0x02 } as const

/** Stands for the root of an empty table. */
const NO_PAGE = 2n ** 64n - 1n

interface Meta {
  readonly pageBytes: number
  readonly transaction: bigint
  readonly lastPage: bigint
  readonly roots: readonly bigint[]
}

/**
 * Looks whether LMDB can open the data file of a folder: whether its meta pages are such, and nothing that they
 * lead to lies behind its end. Values are not looked at. Touches nothing.
 *
 * @param isMade Whether the file is known to have been there; without, it may be missing or empty.
 * @throws {StorageError} `ERR_STORE_CORRUPT`; `ERR_FORMAT_UNKNOWN` for a file of another version of LMDB;
 * `ERR_FOLDER_INVALID` for one that can't be read.
 */
export function checkDataFile(path: string, isMade: boolean): void {
  let fault: StorageError | undefined
  try {
    fault = faultIn(path, isMade)
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    throw new StorageError('ERR_FOLDER_INVALID', `Cannot read "${path}": ${words}`, { cause })
  }
  if (fault !== undefined) throw fault
}

function faultIn(path: string, isMade: boolean): StorageError | undefined {
  const file = openIfThere(join(path, 'data.mdb'))
  try {
    if (file === undefined || fstatSync(file).size === 0) {
      // LMDB makes the file behind `elkyn.json`, so that a folder which has just been made may have come so far.
      return isMade ? corrupt(path, file === undefined ? 'is missing' : 'is empty') : undefined
    }
    if (!isKnownLayout) return undefined
    const metaPages = readMetaPages(file)
    const fault = faultOf(path, file, metaPages)
    // Another thread that writes may have changed what was read in the middle of that. Then LMDB has opened it.
    return metaPages.equals(readMetaPages(file)) ? fault : undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** LMDB has other widths, and another order of bytes, elsewhere. */
const isKnownLayout = ['x64', 'arm64'].includes(process.arch) && endianness() === 'LE'

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function corrupt(path: string, what: string): StorageError {
  return new StorageError('ERR_STORE_CORRUPT', `Cannot open "${path}": its data.mdb ${what}`)
}

/** The first bytes of both meta pages, as far as they are there. */
function readMetaPages(file: number): Buffer {
  const first = readAt(file, 0, META_BYTES)
  const pageBytes = first.length < META_BYTES ? 0 : first.readUInt32LE(MetaOffset.pageBytes)
  return Buffer.concat([first, readAt(file, pageBytes, META_BYTES)])
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(file, bytes, 0, length, position))
}

function faultOf(path: string, file: number, metaPages: Buffer): StorageError | undefined {
  if (metaPages.length < 2 * META_BYTES) return corrupt(path, 'is cut off')
  const pages = [metaPages.subarray(0, META_BYTES), metaPages.subarray(META_BYTES)]
  if (!pages.every(isMetaPage)) return corrupt(path, 'is damaged: it does not begin as LMDB does')
  const version = pages
    .map((page) => page.readUInt16LE(MetaOffset.version))
    .find((known) => known !== DATA_VERSION)
  if (version !== undefined) {
    const message = `Cannot open "${path}": its data.mdb has version ${version} of LMDB's format`
    return new StorageError('ERR_FORMAT_UNKNOWN', `${message}, this version knows ${DATA_VERSION}`)
  }
  // The one that LMDB takes.
  const [first, second] = pages.map(readMeta) as [Meta, Meta]
  const meta = first.transaction >= second.transaction ? first : second
  if (first.pageBytes !== second.pageBytes || !isPageSize(meta.pageBytes)) {
    return corrupt(path, 'is damaged: it has no size of pages')
  }
  const pageCount = Math.floor(fstatSync(file).size / meta.pageBytes)
  if (meta.lastPage < BigInt(pageCount)) return undefined
  // LMDB never writes pages that came and went within one commit, so that the file may be shorter by them. That
  // is rare, and it is worth while to see whether all that is in use is there.
  return new PageWalk(file, meta.pageBytes, pageCount).isComplete(meta.roots)
    ? undefined
    : corrupt(path, 'is cut off')
}

function isMetaPage(page: Buffer): boolean {
  const flags = page.readUInt16LE(PageOffset.flags)
  return (flags & PageFlag.meta) !== 0 && page.readUInt32LE(MetaOffset.magic) === MAGIC
}

function readMeta(page: Buffer): Meta {
  return {
    pageBytes: page.readUInt32LE(MetaOffset.pageBytes),
    roots: [MetaOffset.freeRoot, MetaOffset.mainRoot].map((at) => page.readBigUInt64LE(at)),
    lastPage: page.readBigUInt64LE(MetaOffset.lastPage),
    transaction: page.readBigUInt64LE(MetaOffset.transaction),
  }
}

function isPageSize(bytes: number): boolean {
  return bytes >= 256 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0
}

/** Goes to all pages that are in use. */
class PageWalk {
  readonly #file: number
  readonly #page: Buffer
  readonly #pageCount: number
  readonly #waiting: bigint[] = []

  constructor(file: number, pageBytes: number, pageCount: number) {
    this.#file = file
    this.#page = Buffer.alloc(pageBytes)
    this.#pageCount = pageCount
  }

  /** Whether each of them is in the file, and is a page. */
  isComplete(roots: readonly bigint[]): boolean {
    for (const root of roots) this.#waitFor(root)
    // Each page is in use once. More of them are no tree.
    for (let left = this.#pageCount; this.#waiting.length > 0; left--) {
      if (left === 0 || !this.#isWhole(this.#waiting.pop()!)) return false
    }
    return true
  }

  #waitFor(page: bigint): void {
    if (page !== NO_PAGE) this.#waiting.push(page)
  }

  #isWhole(number: bigint): boolean {
    if (number >= BigInt(this.#pageCount)) return false
    const page = this.#page
    const { length } = page
    if (readSync(this.#file, page, 0, length, Number(number) * length) < length) return false
    if (page.readBigUInt64LE(0) !== number) return false
    const flags = page.readUInt16LE(PageOffset.flags)
    const end = HEADER_BYTES + page.readUInt16LE(PageOffset.nodes)
    if ((flags & (PageFlag.branch | PageFlag.leaf)) === 0 || end > length) return false
    for (let at = HEADER_BYTES; at < end; at += 2) {
      const node = HEADER_BYTES + page.readUInt16LE(at)
      if (node + NODE_BYTES > length) return false
      if ((flags & PageFlag.branch) !== 0)
        this.#waitFor(BigInt(page.readUIntLE(node, NUMBER_BYTES)))
      else if (!this.#isWholeLeaf(node)) return false
    }
    return true
  }

  #isWholeLeaf(node: number): boolean {
    const page = this.#page
    const flags = page.readUInt16LE(node + NodeOffset.flags)
    const value = node + NODE_BYTES + page.readUInt16LE(node + NodeOffset.keyBytes)
    if ((flags & NodeFlag.table) !== 0) {
      if (value + TABLE_BYTES > page.length) return false
      this.#waitFor(page.readBigUInt64LE(value + TABLE_BYTES - 8))
    } else if ((flags & NodeFlag.long) !== 0) {
      if (value + LONG_BYTES > page.length) return false
      const end = page.readBigUInt64LE(value) + page.readBigUInt64LE(value + LONG_BYTES - 8)
      return end <= BigInt(this.#pageCount)
    }
    return true
  }
}
