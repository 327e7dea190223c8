import { buffer } from 'node:stream/consumers'
import { pathKeys } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import { DocumentParts } from './document-parts.ts'
import type { DocumentPart, DocumentPartsOptions } from './document-parts.ts'
import type { Target } from './target.ts'

/** Half of what a server takes by default. */
const partValues = 50_000

export interface ImportOptions {
  /** Where the document goes. */
  readonly path: Path
  /** Number of keys of that path, for the limit on depth. */
  readonly depth: number
  /** Members that the document lacks stay. */
  readonly merge: boolean
  /** Where in the document to begin. Default: with the whole of it. */
  readonly resumeFrom: Path | undefined
  readonly toKey: ((name: string) => string) | undefined
  /** About how many characters go into one write, where the target does not take any size. */
  readonly partLength: number
}

/** How far an import came. */
export interface ImportState {
  /**
   * Where in the document the first part begins that is not known to be stored; `undefined` as
   * long as that is the first one of all.
   */
  next: string | undefined
}

/**
 * Stores a document, in one write where the target takes any size, else part after part, each of
 * them atomic. Keeps `state` up to date, which says
 * where to go on after a failure.
 * @throws {TreeError} with the place in the document, when a tree cannot hold it.
 * @throws {CommandError} when the target refuses a part.
 */
export async function importDocument(
  input: AsyncIterable<Uint8Array>,
  target: Target,
  options: ImportOptions,
  state: ImportState,
): Promise<void> {
  if (target.takesAnySize) {
    // A second write could fail when the first one is stored.
    const parts = new DocumentParts(input, { ...partsOptions(options), onePart: true })
    for await (const { method, body } of parts) await target[method](options.path, body)
    return
  }
  const { partLength } = options
  const parts = new DocumentParts(input, { ...partsOptions(options), partLength, partValues })
  let sending = Promise.resolve()
  try {
    for await (const { method, body } of parts) {
      // The next part is read while this one is on its way, and read to its end before it is sent,
      // so that no request is begun for nothing.
      const part: WholePart = { method, body: await buffer(body), next: parts.next }
      await sending
      sending = send(part, target, options.path, state)
      // Whoever awaits it gets the failure: the next turn, or the end.
      sending.catch(() => {})
    }
  } finally {
    await sending
  }
}

interface WholePart {
  readonly method: DocumentPart['method']
  readonly body: Uint8Array
  readonly next: string | undefined
}

async function send(
  { method, body, next }: WholePart,
  target: Target,
  path: Path,
  state: ImportState,
): Promise<void> {
  await target[method](path, body)
  state.next = next
}

/**
 * Reads a document to its end and stores nothing.
 * @throws {TreeError} as {@link importDocument}.
 */
export async function checkDocument(
  input: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<void> {
  for await (const { body } of new DocumentParts(input, partsOptions(options))) {
    for await (const _ of body);
  }
}

function partsOptions({ depth, merge, resumeFrom, toKey }: ImportOptions): DocumentPartsOptions {
  return {
    depth,
    merge,
    ...(resumeFrom !== undefined && { resumeFrom: pathKeys(resumeFrom) }),
    ...(toKey !== undefined && { toKey }),
  }
}
