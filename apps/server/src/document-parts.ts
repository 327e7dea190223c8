import { JsonTokenizer, TreeBuilder } from '@elkyn/tree'
import type { JsonHandler, TreeSink } from '@elkyn/tree'
import { CheckedHandler } from './checked-handler.ts'
import { CommandError } from './command-error.ts'
import { DocumentCutter } from './document-cutter.ts'
import type { DocumentCutterOptions } from './document-cutter.ts'

/** A part of a document, as one write. */
export interface DocumentPart {
  /** `set`: the value at the root of the document; `update`: an object of paths below that. */
  readonly method: 'set' | 'update'
  /** To be taken to its end before the next part is asked for. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface DocumentPartsOptions extends DocumentCutterOptions {
  /** Number of keys above the document in the tree. Default: 0. */
  readonly depth?: number
}

/**
 * Reads a JSON document of any size, checks that a tree can hold it, and gives it out in parts as
 * {@link DocumentCutter} cuts them, holding no more than a block of the input and what came of it.
 *
 * Taking parts throws `TreeError` with the place in the document, and whatever the input throws.
 */
export class DocumentParts {
  readonly #input: AsyncIterator<Uint8Array>
  readonly #tokenizer: JsonTokenizer
  readonly #cutter: DocumentCutter
  readonly #first: DocumentPart['method']
  /** Where the next part begins, a path in the document; `undefined` behind the last one. */
  next: string | undefined

  constructor(input: AsyncIterable<Uint8Array>, options: DocumentPartsOptions) {
    this.#input = input[Symbol.asyncIterator]()
    this.#cutter = new DocumentCutter(options)
    this.#tokenizer = new JsonTokenizer(new CheckedHandler(createChecker(options), this.#cutter))
    this.#first = options.resumeFrom !== undefined || options.merge === true ? 'update' : 'set'
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DocumentPart> {
    try {
      yield { method: this.#first, body: this.#part() }
      while (this.next !== undefined) yield { method: 'update', body: this.#part() }
    } finally {
      await this.#input.return?.()
    }
  }

  async *#part(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const { text, end } = this.#cutter.take()
      if (text !== '') yield Buffer.from(text)
      if (end !== undefined) {
        this.next = end.next
        return
      }
      await this.#read()
    }
  }

  async #read(): Promise<void> {
    const block = await this.#input.next()
    if (block.done !== true) return this.#tokenizer.write(block.value)
    this.#tokenizer.end()
    if (this.#cutter.isSkipping) {
      throw new CommandError('usage', 'The document has nothing at the path to resume from')
    }
    this.#cutter.end()
  }
}

/** Checks all that a tree demands, and keeps nothing. */
function createChecker({ depth = 0, toKey }: DocumentPartsOptions): JsonHandler {
  const sink: TreeSink<true> = {
    open: () => true,
    put() {},
    delete() {},
    serverValue() {},
    close: () => true,
    discard() {},
  }
  const options = { depth, sink, maxPendingBytes: 64 * 1024 }
  return new TreeBuilder(toKey === undefined ? options : { ...options, toKey })
}
