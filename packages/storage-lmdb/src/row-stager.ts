import {
  JsonTokenizer,
  TreeBuilder,
  UpdateBuilder,
  joinPath,
  pathDepth,
  rootPath,
} from '@elkyn/tree'
import type { BuiltValue, Path, StageOptions, StagedPair, Stager } from '@elkyn/tree'
import { StagedHead } from './staged-head.ts'
import { StagingSink } from './staging-sink.ts'
import type { OpenHead, StagingContext } from './staging-sink.ts'

/** Takes JSON of any size in: checks it, cuts it into rows and stores these outside the tree. */
export class RowStager implements Stager {
  readonly #context: StagingContext
  readonly #sink: StagingSink
  readonly #tokenizer: JsonTokenizer
  readonly #result: () => readonly StagedPair[]
  readonly #staged: StagedHead[] = []
  #ended = false

  constructor(context: StagingContext, options: StageOptions) {
    const { kind = 'value', path, depth = pathDepth(path ?? rootPath), heldValues } = options
    this.#context = context
    const sink = new StagingSink(context)
    this.#sink = sink
    // Who drops a stager may never say so.
    context.dropped.buryAfter(this, abandoned(sink))
    const building = {
      depth,
      sink: this.#sink,
      maxPendingBytes: context.heldMaxBytes,
      heldValues,
    }
    if (kind === 'value') {
      const builder = new TreeBuilder<OpenHead>(building)
      sink.placeAt(fixedPath(path))
      this.#tokenizer = new JsonTokenizer(builder)
      this.#result = () => [{ key: '', value: this.#valueOf(builder.value) }]
    } else {
      const builder = new UpdateBuilder<OpenHead>(building)
      sink.placeAt(memberPath(path, builder))
      this.#tokenizer = new JsonTokenizer(builder)
      this.#result = () => this.#pairsOf(builder)
    }
  }

  write(chunk: Uint8Array): void {
    this.#run(() => {
      this.#tokenizer.write(chunk)
    })
  }

  end(): readonly StagedPair[] {
    return this.#run(() => {
      this.#tokenizer.end()
      this.#sink.flush()
      const pairs = this.#result()
      this.#ended = true
      // From now on the values by themselves decide.
      this.#context.dropped.keepAfter(this)
      return pairs
    })
  }

  abort(): void {
    const unused = this.#ended ? this.#discardUnused() : this.#sink.abandon()
    this.#ended = true
    this.#context.bury(unused)
  }

  /** Where something throws, nothing stays. */
  #run<T>(work: () => T): T {
    if (this.#ended) throw new TypeError('Cannot go on: this stager has ended')
    try {
      // What waited is gone with the store.
      this.#context.checkWritable()
      return work()
    } catch (error) {
      this.abort()
      throw error
    }
  }

  /** @returns the numbers of the values that nobody has written. */
  #discardUnused(): number[] {
    const unused = this.#staged.splice(0).filter(({ used }) => !used)
    for (const value of unused) value.discard()
    return unused.map(({ head }) => head.number)
  }

  #pairsOf(builder: UpdateBuilder<OpenHead>): readonly StagedPair[] {
    const members = builder.members()
    // An update that is `null` stands for the value itself.
    if (members === null) return [{ key: '', value: null }]
    return members.map(({ key, value }) => ({ key, value: this.#valueOf(value) }))
  }

  #valueOf({ handle, node }: BuiltValue<OpenHead>): StagedPair['value'] {
    if (handle === undefined) return node ?? null
    const staged = new StagedHead(
      this.#context.lmdb,
      this.#sink.headOf(handle),
      this.#sink.serverValuesOf(handle),
      this.#sink.indexesOf(handle),
    )
    this.#staged.push(staged)
    const { number } = staged.head
    this.#context.dropped.buryAfter(staged, () => [number])
    return staged
  }
}

// Made here, since functions made in the stager would hold that.

function fixedPath(path: Path | undefined): () => Path | undefined {
  return () => path
}

function memberPath(
  path: Path | undefined,
  builder: UpdateBuilder<OpenHead>,
): () => Path | undefined {
  return () => path && joinPath(path, builder.path)
}

function abandoned(sink: StagingSink): () => readonly number[] {
  return () => sink.abandon()
}
