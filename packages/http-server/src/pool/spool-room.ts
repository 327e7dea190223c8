/** Counted in blocks of so many bytes, as disks have them. */
const blockBytes = 4096

/** So many bytes a file of such a length takes. */
function blocksOf(length: number): number {
  return Math.ceil(length / blockBytes)
}

/** What the files may take that hold the rest of answers for slow clients: shared by all threads. */
export class SpoolRoom {
  /** How many blocks are left. */
  readonly #left: Int32Array

  static create(maxBytes: number): SpoolRoom {
    const room = new SpoolRoom(new SharedArrayBuffer(4))
    room.#left[0] = Math.min(blocksOf(maxBytes), 0x7fff_ffff)
    return room
  }

  /** @param buffer That of another thread's. */
  constructor(buffer: SharedArrayBuffer) {
    this.#left = new Int32Array(buffer)
  }

  get buffer(): SharedArrayBuffer {
    return this.#left.buffer as SharedArrayBuffer
  }

  /** Takes room for a file to grow. @returns false where there is none */
  grow(from: number, to: number): boolean {
    const blocks = blocksOf(to) - blocksOf(from)
    if (blocks === 0 || Atomics.sub(this.#left, 0, blocks) >= blocks) return true
    Atomics.add(this.#left, 0, blocks)
    return false
  }

  /** Gives back what a file has taken. */
  release(length: number): void {
    Atomics.add(this.#left, 0, blocksOf(length))
  }
}
