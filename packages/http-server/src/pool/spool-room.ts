import { statfsSync } from 'node:fs'

/** Counted in blocks of so many bytes, as disks have them. */
const blockBytes = 4096

/** So many bytes a file of such a length takes. */
function blocksOf(length: number): number {
  return Math.ceil(length / blockBytes)
}

/** So much of the disk is left to others, such as the database, or a tenth where that is less. */
const leftBytes = 1024 ** 3

/** What threads share of it. */
export interface SharedSpoolRoom {
  readonly folder: string
  /** How many blocks are left. */
  readonly left: SharedArrayBuffer
}

/** What the files may take that hold the rest of answers for slow clients: shared by all threads. */
export class SpoolRoom {
  readonly shared: SharedSpoolRoom
  readonly #left: Int32Array

  /** @param folder Where the files are. */
  static create(maxBytes: number, folder: string): SpoolRoom {
    const room = new SpoolRoom({ folder, left: new SharedArrayBuffer(4) })
    room.#left[0] = Math.min(blocksOf(maxBytes), 0x7fff_ffff)
    return room
  }

  /** @param shared That of another thread's. */
  constructor(shared: SharedSpoolRoom) {
    this.shared = shared
    this.#left = new Int32Array(shared.left)
  }

  /** Takes room for a file to grow. @returns false where there is none */
  grow(from: number, to: number): boolean {
    const blocks = blocksOf(to) - blocksOf(from)
    if (blocks === 0) return true
    if (!hasRoom(this.shared.folder, blocks)) return false
    if (Atomics.sub(this.#left, 0, blocks) >= blocks) return true
    Atomics.add(this.#left, 0, blocks)
    return false
  }

  /** Gives back what a file has taken. */
  release(length: number): void {
    Atomics.add(this.#left, 0, blocksOf(length))
  }
}

function hasRoom(folder: string, blocks: number): boolean {
  const { bavail, bsize, blocks: all } = statfsSync(folder)
  // What has no size has no limit, as a disk in memory may.
  if (all === 0) return true
  return bavail * bsize - blocks * blockBytes >= Math.min(leftBytes, (all * bsize) / 10)
}
