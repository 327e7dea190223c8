import type { TreeWrite, WriteOutcome, WritePair } from '@elkyn/tree'
import { TreeValue } from '@elkyn/tree'

/** A batch is closed at so many writes, */
const BATCH_MAX_WRITES = 512
/** and at so many characters of paths and texts. */
const BATCH_MAX_TEXT = 4 * 1024 * 1024

interface Waiting {
  readonly write: TreeWrite
  readonly textLength: number
  readonly resolve: (outcome: WriteOutcome) => void
  readonly reject: (error: unknown) => void
}

type Commit = (writes: readonly TreeWrite[]) => readonly WriteOutcome[]

/** Gathers the writes of one turn of the event loop, so that they share a commit. */
export class WriteQueue {
  readonly #commit: Commit
  #waiting: Waiting[] = []
  /** How many ever came, */
  #added = 0
  /** and how many of them were taken to be committed. */
  #taken = 0
  #turn: NodeJS.Immediate | undefined

  constructor(commit: Commit) {
    this.#commit = commit
  }

  async add(write: TreeWrite): Promise<WriteOutcome> {
    // Here, so that what it throws is this write's alone.
    const length = textLength(write.pairs)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, textLength: length, resolve, reject })
      this.#added++
      this.#turn ??= setImmediate(this.#run)
    })
  }

  /** Commits what waits, and not what listeners queue who hear of that: they may go on for ever. */
  flush(): void {
    const end = this.#added
    // Not by what is committed here: listeners that commit come here as well.
    while (this.#taken < end) this.#commitBatch()
    if (this.#waiting.length > 0) return
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
  }

  /** Commits that as well. */
  empty(): void {
    while (this.#waiting.length > 0) this.flush()
  }

  readonly #run = (): void => {
    this.#turn = undefined
    this.#commitBatch()
    // One batch a turn: what came meanwhile joins the rest in the next one.
    if (this.#waiting.length > 0) this.#turn ??= setImmediate(this.#run)
  }

  #commitBatch(): void {
    const batch = this.#waiting.splice(0, this.#batchLength())
    this.#taken += batch.length
    try {
      const outcomes = this.#commit(batch.map(({ write }) => write))
      for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index]!)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  #batchLength(): number {
    let length = 0
    let text = 0
    for (const { textLength: more } of this.#waiting) {
      text += more
      if (length > 0 && (length === BATCH_MAX_WRITES || text > BATCH_MAX_TEXT)) break
      length++
    }
    return length
  }
}

/**
 * Of values only instances of `TreeValue` count, which keep their text: where it is made here, the write need not make it. To make
 * one of what else there may be would cost more than it saves.
 */
function textLength(pairs: readonly WritePair[]): number {
  let length = 0
  for (const { path, value } of pairs) {
    length += path.length
    if (value instanceof TreeValue) length += lengthOf(value)
  }
  return length
}

function lengthOf(value: TreeValue): number {
  try {
    return value.text.length
  } catch {
    // The commit says what is wrong with it, as it does where nothing was queued.
    return 0
  }
}
