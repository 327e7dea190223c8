import { createHash } from 'node:crypto'
import { nullEtag } from '@elkyn/tree'
import type {
  JsonForm,
  KeyRange,
  NodeKind,
  Path,
  QueryResult,
  TreeQuery,
  TreeSnapshot,
  TreeValue,
} from '@elkyn/tree'
import { checkAnswerSize } from './answer-size.ts'
import type { HttpResponse } from './message.ts'
import type { ReadPlan } from './plan.ts'

/** The ETag of a value that is too large to be read in one go. */
export class EtagWanted extends Error {
  readonly path: Path

  constructor(path: Path) {
    super(`The ETag of ${path} takes longer`)
    this.path = path
  }
}

/** A snapshot that reads the whole of a large value only when there is time for it. */
export class UnhurriedSnapshot implements TreeSnapshot {
  readonly #snapshot: TreeSnapshot
  readonly #etags = new Map<Path, string>()

  constructor(snapshot: TreeSnapshot) {
    this.#snapshot = snapshot
  }

  get sequence(): number {
    return this.#snapshot.sequence
  }

  /** @throws {EtagWanted} for a value of more than one block, until {@link readEtag} was called. */
  etag(path: Path): string {
    const known = this.#etags.get(path)
    if (known !== undefined) return known
    const blocks = this.#snapshot.jsonBlocks(path, 'export')?.[Symbol.iterator]()
    if (blocks === undefined) return nullEtag
    const digest = createHash('sha1')
    const first = blocks.next()
    // Before the next one is asked for, which may use its memory.
    if (first.done !== true) digest.update(first.value)
    if (blocks.next().done !== true) {
      blocks.return?.()
      throw new EtagWanted(path)
    }
    const etag = digest.digest('base64')
    this.#etags.set(path, etag)
    return etag
  }

  /** Reads a value for its ETag, which is the digest of its canonical text; calls `rest` between blocks. */
  async readEtag(path: Path, rest: () => Promise<void>): Promise<void> {
    const digest = createHash('sha1')
    const blocks = (this.#snapshot.jsonBlocks(path, 'export') ?? [])[Symbol.iterator]()
    try {
      for (let next = blocks.next(); next.done !== true; next = blocks.next(next.value)) {
        digest.update(next.value)
        await rest()
      }
    } finally {
      blocks.return?.()
    }
    this.#etags.set(path, digest.digest('base64'))
  }

  kind(path: Path): NodeKind {
    return this.#snapshot.kind(path)
  }

  get(path: Path): TreeValue {
    return this.#snapshot.get(path)
  }

  keys(path: Path, range?: KeyRange): Iterable<string> {
    return this.#snapshot.keys(path, range)
  }

  json(path: Path, form?: JsonForm): Uint8Array | undefined {
    return this.#snapshot.json(path, form)
  }

  jsonBlocks(path: Path, form?: JsonForm): Iterable<Uint8Array> | undefined {
    return this.#snapshot.jsonBlocks(path, form)
  }

  query(path: Path, query: TreeQuery): QueryResult {
    return this.#snapshot.query(path, query)
  }

  close(): void {
    this.#snapshot.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Carries a read out, with pauses where it has to take in all of a large value: for its ETag, or for its size.
 * @throws as {@link checkAnswerSize}, and what `rest` throws.
 */
export async function runUnhurried(
  plan: Pick<ReadPlan, 'run' | 'maxBytes'>,
  snapshot: UnhurriedSnapshot,
  rest: () => Promise<void>,
): Promise<HttpResponse> {
  const response = await runForEtag(plan, snapshot, rest)
  if (plan.maxBytes === undefined) return response
  await checkAnswerSize(response, plan.maxBytes, rest)
  // That has taken it to its end.
  return plan.run(snapshot)
}

async function runForEtag(
  { run }: Pick<ReadPlan, 'run'>,
  snapshot: UnhurriedSnapshot,
  rest: () => Promise<void>,
): Promise<HttpResponse> {
  // An ETag is read before anything else, so that to begin again repeats nothing.
  for (;;) {
    try {
      return run(snapshot)
    } catch (error) {
      if (!(error instanceof EtagWanted)) throw error
      await snapshot.readEtag(error.path, rest)
    }
  }
}
