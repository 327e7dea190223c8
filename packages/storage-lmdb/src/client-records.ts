import {
  TreeValue,
  checkIdempotencyKey,
  checkIdempotencyKeyForm,
  outcomeAgain,
  rememberedWrite,
} from '@elkyn/tree'
import type {
  IdempotencyKey,
  JsonForm,
  RememberedWrite,
  TreeWrite,
  WriteAccepted,
} from '@elkyn/tree'
import { ForgottenClients } from './forgotten-clients.ts'
import { iterableOf } from './iterable.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'
import type { Sealer } from './sealer.ts'

/*
 * The last accepted write of each client with idempotency keys. Two kinds of entries:
 *
 *   01 client              when it was written (8 bytes), then JSON of StoredWrite, sealed
 *   02 time (8) client     nothing: finds those that have been idle for longest
 *
 * Others, which begin with 00 and 03, are those of the clients that were forgotten.
 */

const RECORD = 1
const TIME = 2
const TIME_BYTES = 8

/** How long, and how many clients, a store remembers. */
export interface ClientLimits {
  readonly max: number
  readonly maxAgeMs: number
  /** Names of forgotten ones that are known. */
  readonly maxForgotten: number
}

/** The JSON of a write has up to so many bytes with the values that it computed. Of longer ones a repeat hands none back. */
const JSON_MAX_BYTES = 64 * 1024

interface StoredWrite extends Omit<RememberedWrite, 'values'> {
  readonly values?: readonly (readonly [text: string, form: JsonForm] | null)[]
}

/** Remembers clients. Lives inside one write transaction. */
export class ClientRecords {
  readonly #lmdb: Lmdb
  readonly #sealer: Sealer | undefined
  readonly #limits: ClientLimits
  readonly #forgotten: ForgottenClients
  /** What this transaction has accepted. */
  readonly #accepted = new Map<string, RememberedWrite>()

  constructor(lmdb: Lmdb, sealer: Sealer | undefined, limits: ClientLimits) {
    this.#lmdb = lmdb
    this.#sealer = sealer
    this.#limits = limits
    this.#forgotten = new ForgottenClients(lmdb, limits.maxForgotten)
  }

  /**
   * The outcome of a write that was accepted before; `undefined` for one that is new.
   * @throws {TreeError} `ERR_OUTCOME_UNKNOWN`, `ERR_IDEMPOTENCY_KEY_REUSED`
   * @throws {TypeError} for a key that is not one.
   */
  repeat(write: TreeWrite, key: IdempotencyKey): WriteAccepted | undefined {
    checkIdempotencyKeyForm(key)
    const last = this.#accepted.get(key.client) ?? this.#read(key.client)
    if (last !== undefined) {
      return checkIdempotencyKey(key, last) ? outcomeAgain(write, last) : undefined
    }
    // Any other number is refused without looking.
    const isForgotten = key.number === 1 && this.#forgotten.has(key.client)
    checkIdempotencyKey(key, isForgotten ? 'forgotten' : undefined)
    return undefined
  }

  accept(write: TreeWrite, key: IdempotencyKey, outcome: WriteAccepted): void {
    this.#accepted.set(key.client, rememberedWrite(write, key, outcome))
  }

  /** Stores what was accepted, and forgets at most twice as many clients that have been idle. */
  store(now: number): void {
    if (this.#accepted.size === 0) return
    const { clients } = this.#lmdb
    let isNew = false
    for (const [client, write] of this.#accepted) {
      const key = recordKey(client)
      const before = this.#lmdb.readBytes(clients, key, undefined)
      if (before === undefined) isNew = true
      else clients.remove(timeKey(timeOf(before), client))
      const time = timeBytes(now)
      const json = storedJson(write)
      const value = this.#sealer === undefined ? json : this.#sealer.seal(key, json)
      clients.put(key, Buffer.concat([time, value]))
      clients.put(timeKey(now, client), empty)
    }
    // To count them costs more than all else here.
    const extra = isNew ? this.#count() - this.#limits.max : 0
    this.#forget(now, extra, 2 * this.#accepted.size)
  }

  /** Clients that are remembered. */
  #count(): number {
    return (this.#lmdb.stats.table('clients').entries - this.#forgotten.entries) / 2
  }

  #read(client: string): RememberedWrite | undefined {
    const key = recordKey(client)
    const bytes = this.#lmdb.readBytes(this.#lmdb.clients, key, undefined)
    if (bytes === undefined) return undefined
    const sealed = bytes.subarray(TIME_BYTES)
    const json = this.#sealer === undefined ? sealed : this.#sealer.open(key, sealed)
    const {
      number,
      fingerprint,
      memo,
      sequence,
      time,
      values = [],
    } = JSON.parse(Buffer.from(json).toString()) as StoredWrite
    const computed = values.map((value) =>
      value === null ? undefined : TreeValue.fromCanonical(...value),
    )
    return { number, fingerprint, memo, sequence, time, values: computed }
  }

  /** Forgets so many clients, and those that are too old, up to `most`. */
  #forget(now: number, extra: number, most: number): void {
    const { clients } = this.#lmdb
    const { maxAgeMs } = this.#limits
    let left = extra
    const oldest = () => clients.getRange({ ...times(), limit: most }).iterate()
    const gone: Buffer[] = []
    for (const { key } of iterableOf(oldest)) {
      const bytes = Buffer.from(key)
      const idleMs = now - Number(bytes.readBigUInt64BE(1))
      if (left <= 0 && idleMs <= maxAgeMs) break
      left--
      gone.push(bytes)
    }
    const names = gone.map((key) => key.toString('latin1', 1 + TIME_BYTES))
    for (const key of [...gone, ...names.map(recordKey)]) clients.remove(key)
    this.#forgotten.add(names)
  }
}

/** Copies all entries as they are into the open write transaction of another environment. */
export function* copyClients(
  from: Lmdb,
  to: Lmdb,
  options: ReadOptions,
): Generator<void, void, void> {
  const all = () => from.clients.getRange({ start: Buffer.of(0), ...options }).iterate()
  for (const { key, value } of iterableOf(all)) {
    to.clients.put(key, value as Uint8Array)
    yield
  }
}

function storedJson({ values, ...write }: RememberedWrite): Buffer {
  const length = values.reduce((sum, value) => sum + (value?.text.length ?? 0), 0)
  // Each UTF-16 unit takes a byte or more, and what has to be escaped in the JSON around it one more.
  if (length > 0 && length <= JSON_MAX_BYTES) {
    const texts = values.map((value) => (value ? ([value.text, value.form] as const) : null))
    const json = jsonOf({ ...write, values: texts })
    if (json.length <= JSON_MAX_BYTES) return json
  }
  return jsonOf(write)
}

function jsonOf(write: StoredWrite): Buffer {
  return Buffer.from(JSON.stringify(write))
}

const empty = Buffer.alloc(0)

/** Client names are ASCII. */
function recordKey(client: string): Buffer {
  return Buffer.concat([Buffer.of(RECORD), Buffer.from(client, 'latin1')])
}

function timeKey(time: number, client: string): Buffer {
  return Buffer.concat([Buffer.of(TIME), timeBytes(time), Buffer.from(client, 'latin1')])
}

function times(): { readonly start: Buffer; readonly end: Buffer } {
  return { start: Buffer.of(TIME), end: Buffer.of(TIME + 1) }
}

function timeBytes(time: number): Buffer {
  const bytes = Buffer.alloc(TIME_BYTES)
  bytes.writeBigUInt64BE(BigInt(Math.trunc(time)))
  return bytes
}

function timeOf(record: Uint8Array): number {
  return Number(Buffer.from(record.buffer, record.byteOffset, TIME_BYTES).readBigUInt64BE(0))
}
