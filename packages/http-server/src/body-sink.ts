import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { StagedPair, StageOptions, Stager, TreeStore } from '@elkyn/tree'
import type { BodyPlace } from './body-place.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import type { HeldBody, HeldValues } from './held-values.ts'
import type { HttpRequest, HttpRequestHead } from './message.ts'
import { maxParsedBytes } from './plan.ts'
import type { BodyPlan } from './plan.ts'
import { Refusal } from './refusal.ts'

export interface BodySinkContext {
  readonly store: TreeStore
  readonly maxBodyBytes: number
  readonly heldValues: HeldValues
}

/** Takes the body of a request: in memory while it is small, into the store when it gets large. */
export class BodySink implements Disposable {
  readonly #store: TreeStore
  readonly #options: StageOptions
  readonly #maxBytes: number
  readonly #announcedBytes: number
  readonly #early = new GatheredBytes()
  #length = 0
  #stager: Stager | undefined
  readonly #hash: Hash | undefined
  readonly #heldValues: HeldValues
  #held: HeldBody | undefined

  /** @param announcedBytes So many will come, as far as that is known. */
  constructor(
    { store, maxBodyBytes, heldValues }: BodySinkContext,
    { stageOptions, isDigested }: Pick<BodyPlan, 'stageOptions' | 'isDigested'>,
    announcedBytes: number,
  ) {
    this.#store = store
    this.#heldValues = heldValues
    this.#options = stageOptions
    this.#maxBytes = maxBodyBytes
    this.#announcedBytes = announcedBytes
    if (isDigested) this.#hash = createHash('sha256')
  }

  /** Bytes taken so far. */
  get length(): number {
    return this.#length
  }

  /** Whether the body is so large that it goes into the store. */
  get isStaging(): boolean {
    return this.#stager !== undefined
  }

  /**
   * @throws {Refusal} 413 when it has become too large.
   * @throws {TreeError} what is wrong with a large body, as soon as it is seen.
   */
  write(chunk: Uint8Array): void {
    this.#length += chunk.length
    checkLength(this.#length, this.#maxBytes)
    this.#hash?.update(chunk)
    if (
      this.#stager === undefined &&
      Math.max(this.#length, this.#announcedBytes) > maxParsedBytes
    ) {
      this.#held = this.#heldValues.begin()
      this.#stager = this.#store.stage({ ...this.#options, heldValues: this.#held.limit })
      if (this.#early.length > 0) this.#stager.write(this.#early.take())
    }
    if (this.#stager === undefined) this.#early.add(chunk)
    else this.#stager.write(chunk)
  }

  /** The bytes of a small body, or what a large one was staged as. */
  end(): Uint8Array | readonly StagedPair[] {
    return this.#stager === undefined ? this.#early.take() : this.#stager.end()
  }

  /** The digest of the body, where it is wanted. To be taken once. */
  digest(): string | undefined {
    return this.#hash?.digest('base64url')
  }

  /** Throws away what was staged, unless it was written meanwhile. */
  [Symbol.dispose](): void {
    this.#stager?.abort()
    this.#held?.[Symbol.dispose]()
  }
}

/**
 * Refuses a body by what the head of its request says about it.
 * @throws {Refusal} 413, 415
 */
export function checkBodyHead({ headers }: HttpRequestHead, maxBytes: number): void {
  checkLength(Number(headers['content-length'] ?? 0), maxBytes)
  const encoding = String(headers['content-encoding'] ?? 'identity')
  if (encoding.toLowerCase() !== 'identity') {
    throw new Refusal(415, `Content-Encoding '${encoding}' is not supported`)
  }
}

/** @throws {Refusal} 413 */
export function checkLength(length: number, maxBytes: number): void {
  if (length > maxBytes) throw new Refusal(413, 'Payload is too large')
}

const pieceBytes = 64 * 1024

/**
 * A body in pieces small enough to be parsed one at a time.
 * @throws {Refusal} 503 as its place
 */
export async function* piecesOf(
  body: HttpRequest['body'],
  place: BodyPlace,
): AsyncGenerator<Uint8Array> {
  if (body === undefined) return
  if (!(body instanceof Uint8Array)) {
    yield* arriving(body, place)
    return
  }
  place.reach(body.length)
  for (let start = 0; start < body.length; start += pieceBytes) {
    yield body.subarray(start, start + pieceBytes)
  }
}

async function* arriving(
  body: AsyncIterable<Uint8Array>,
  place: BodyPlace,
): AsyncGenerator<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]()
  try {
    for (let length = 0; ;) {
      const next = await place.wait(pieces.next())
      if (next.done === true) return
      length += next.value.length
      place.reach(length)
      yield next.value
    }
  } finally {
    // Not awaited: that of a generator takes until the piece has come that was given up.
    Promise.resolve(pieces.return?.()).catch(() => {})
  }
}
