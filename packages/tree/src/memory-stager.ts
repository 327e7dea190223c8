import { pathDepth, rootPath } from './path.ts'
import type { StageOptions, StagedPair, Stager } from './store.ts'
import { JsonTokenizer } from './tokenizer.ts'
import { TreeBuilder } from './tree-builder.ts'
import { UpdateBuilder } from './update-builder.ts'

/** Reads what is staged into memory, where a memory store would keep it anyway. */
export class MemoryStager implements Stager {
  readonly #tokenizer: JsonTokenizer
  readonly #finish: () => StagedPair[]

  constructor(options: StageOptions) {
    const { kind = 'value', path = rootPath, depth = pathDepth(path), heldValues } = options
    if (kind === 'value') {
      const builder = new TreeBuilder({ depth, heldValues })
      this.#tokenizer = new JsonTokenizer(builder)
      this.#finish = () => [{ key: '', value: builder.value.node ?? null }]
    } else {
      const builder = new UpdateBuilder({ depth, heldValues })
      this.#tokenizer = new JsonTokenizer(builder)
      this.#finish = () => {
        const members = builder.members() ?? [{ key: '', value: { node: null } }]
        return members.map(({ key, value }) => ({ key, value: value.node ?? null }))
      }
    }
  }

  write(chunk: Uint8Array): void {
    this.#tokenizer.write(chunk)
  }

  end(): readonly StagedPair[] {
    this.#tokenizer.end()
    return this.#finish()
  }

  abort(): void {
    // There is nothing to give back.
  }
}
