import { createHash } from 'node:crypto'
import { iterableOf } from './iterable.ts'
import type { Lmdb } from './lmdb.ts'

/*
 * The names of clients whose last write is not remembered any more, so that a first write of theirs
 * that comes again is not taken for that of a new client. Two kinds of entries beside those of the clients:
 *
 *   00                                   generation, names in it, names in all (8 bytes each)
 *   03 generation (8) digest of the name nothing
 *
 * A generation has `max` names; when it is full a new one begins, and the one before the last goes. So each name
 * stays until at least `max` others were forgotten behind it, for one small entry and without an order of its own.
 */

const STATE = 0
const NAME = 3
/** Two of so many names have the same digest with a chance that no machine lives to see. */
const DIGEST_BYTES = 15

interface State {
  readonly generation: number
  readonly names: number
  readonly kept: number
}

/** Knows clients that were forgotten by their names. Lives inside one write transaction. */
export class ForgottenClients {
  readonly #lmdb: Lmdb
  readonly #max: number

  /** @param max Names that are kept at least; twice as many at most. */
  constructor(lmdb: Lmdb, max: number) {
    this.#lmdb = lmdb
    this.#max = max
  }

  /** Entries that it has in the table of the clients. */
  get entries(): number {
    const { kept } = this.#read() ?? nothing
    return kept === 0 ? 0 : kept + 1
  }

  has(client: string): boolean {
    const state = this.#read()
    if (state === undefined) return false
    const { generation } = state
    return this.#isIn(generation, client) || (generation > 0 && this.#isIn(generation - 1, client))
  }

  add(clients: readonly string[]): void {
    if (clients.length === 0) return
    const table = this.#lmdb.clients
    let { generation, names, kept } = this.#read() ?? nothing
    for (const client of clients) {
      if (names >= this.#max) {
        generation++
        names = 0
      }
      names++
      // One that begins under its old name in spite of all is there already.
      if (!this.#isIn(generation, client)) kept++
      table.put(nameKey(generation, client), empty)
    }
    const old = this.#old(generation, 2 * clients.length)
    for (const key of old) table.remove(key)
    table.put(stateKey, stateBytes({ generation, names, kept: kept - old.length }))
  }

  #isIn(generation: number, client: string): boolean {
    const key = nameKey(generation, client)
    return this.#lmdb.readBytes(this.#lmdb.clients, key, undefined) !== undefined
  }

  /** Keys of generations that count no more. */
  #old(generation: number, most: number): Uint8Array[] {
    if (generation < 2) return []
    const range = { start: generationKey(0), end: generationKey(generation - 1), limit: most }
    const all = () => this.#lmdb.clients.getRange(range).iterate()
    return Array.from(iterableOf(all), ({ key }) => Buffer.from(key))
  }

  #read(): State | undefined {
    const bytes = this.#lmdb.readBytes(this.#lmdb.clients, stateKey, undefined)
    if (bytes === undefined) return undefined
    const memory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const [generation = 0, names = 0, kept = 0] = [0, 8, 16].map((offset) =>
      Number(memory.readBigUInt64BE(offset)),
    )
    return { generation, names, kept }
  }
}

const nothing: State = { generation: 0, names: 0, kept: 0 }
const empty = Buffer.alloc(0)
const stateKey = Buffer.of(STATE)

function stateBytes({ generation, names, kept }: State): Buffer {
  return Buffer.concat([generation, names, kept].map(numberBytes))
}

function nameKey(generation: number, client: string): Buffer {
  const digest = createHash('sha256').update(client).digest()
  return Buffer.concat([generationKey(generation), digest.subarray(0, DIGEST_BYTES)])
}

function generationKey(generation: number): Buffer {
  return Buffer.concat([Buffer.of(NAME), numberBytes(generation)])
}

function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}
