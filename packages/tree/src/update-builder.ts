import { TreeError } from './errors.ts'
import type { TreeErrorCode } from './errors.ts'
import { keyFault } from './key.ts'
import type { KeyFault } from './key.ts'
import { maxDepth } from './limits.ts'
import { ServerValue } from './node.ts'
import { ownText } from './own-text.ts'
import { isPriorityPath, pathDepth, rootPath } from './path.ts'
import type { Path } from './path.ts'
import type { JsonHandler, TextPlace } from './tokenizer.ts'
import { TextMap } from './text-map.ts'
import { TreeBuilder, defaultPendingBytes, invalidKey } from './tree-builder.ts'
import type { BuiltValue, TreeBuilderOptions } from './tree-builder.ts'
import { checkConflicts, inWriteOrder, parseUpdatePath } from './update-path.ts'

// A container of fewer bytes than this part of the budget may be a single row of a store: 4 kB of the smallest containers.
const leastPart = 32

/** One member of an update: a value by itself, and where it belongs. */
export interface BuiltMember<Handle> {
  /** The name as it stood in the input. */
  readonly key: string
  /** Where it leads from the place of the update. May end in `.priority`. */
  readonly path: Path
  readonly value: BuiltValue<Handle>
}

/**
 * Reads the JSON of an update: an object whose members are values by themselves and whose member
 * names are paths. Each value goes through a `TreeBuilder` of its own and fails as there; beside
 * that `ERR_NOT_AN_OBJECT` and `ERR_TOO_MANY_VALUES`, and for the names `ERR_INVALID_KEY`,
 * `ERR_PATH_TOO_LONG`, `ERR_TOO_DEEP` and `ERR_PATH_CONFLICT`. The `toKey` of the options makes keys inside the values, not
 * of the paths.
 *
 * All members share `maxPendingBytes`: when those that are held have used it up, a later one goes to
 * the sink at a 32nd of it. Smaller ones, and all that are leaves, are always held, so that memory
 * grows with their number and their size, as far as `heldValues` lets it.
 */
export class UpdateBuilder<Handle = never> implements JsonHandler {
  readonly #options: TreeBuilderOptions<Handle>
  readonly #members = new TextMap<BuiltMember<Handle>>()
  #isNull = false
  /** About how many bytes of memory the members take that are held. */
  #heldBytes = 0
  /** Number of open containers, the object of the update among them. */
  #open = 0

  /** The member that is being read. */
  #name = ''
  #path: Path = rootPath
  #place: TextPlace = { line: 1, column: 1 }
  #builder: TreeBuilder<Handle>

  constructor(options: TreeBuilderOptions<Handle> = {}) {
    this.#options = options
    this.#builder = new TreeBuilder(options)
  }

  /** Where the member that is being read belongs. */
  get path(): Path {
    return this.#path
  }

  /**
   * What was read, to be asked once at the end of the input: the members in an order in which they
   * can be written one after the other, or `null` when the input was the word `null`.
   */
  members(): readonly BuiltMember<Handle>[] | null {
    if (this.#isNull) return null
    const members = this.#members.values()
    checkConflicts(members.map(({ path }) => path))
    return inWriteOrder(members, ({ value }) => value.node === null)
  }

  startObject(at: TextPlace): void {
    if (this.#open++ > 0) this.#builder.startObject(at)
  }

  endObject(): void {
    if (--this.#open === 0) return
    this.#builder.endObject()
    this.#endValue()
  }

  startArray(at: TextPlace): void {
    this.#checkInside(at)
    this.#open++
    this.#builder.startArray(at)
  }

  endArray(): void {
    this.#open--
    this.#builder.endArray()
    this.#endValue()
  }

  key(name: string, at: TextPlace): void {
    if (this.#open === 1) this.#startMember(name, at)
    else this.#builder.key(name, at)
  }

  string(value: string, at: TextPlace): void {
    this.#checkInside(at)
    this.#builder.string(value, at)
    this.#endValue()
  }

  number(literal: string, at: TextPlace): void {
    this.#checkInside(at)
    this.#builder.number(literal, at)
    this.#endValue()
  }

  word(value: boolean | null, at: TextPlace): void {
    this.#isNull = this.#open === 0 && value === null
    if (this.#isNull) return
    this.#checkInside(at)
    this.#builder.word(value, at)
    this.#endValue()
  }

  #checkInside(at: TextPlace): void {
    if (this.#open === 0) throw failure('ERR_NOT_AN_OBJECT', 'an update is a JSON object', at)
  }

  #startMember(name: string, at: TextPlace): void {
    // Held to the end, and not to keep the chunk that it came in.
    this.#name = ownText(name)
    this.#place = { line: at.line, column: at.column }
    this.#path = memberPath(this.#name, at)
    const depth = (this.#options.depth ?? 0) + pathDepth(this.#path)
    if (depth > maxDepth) {
      throw failure('ERR_TOO_DEEP', `a path has more than ${maxDepth} keys`, at)
    }
    const { maxPendingBytes: most = defaultPendingBytes, heldValues } = this.#options
    if (this.#members.get(name) === undefined) heldValues?.add(at)
    const maxPendingBytes = Math.max(most - this.#heldBytes, most / leastPart)
    this.#builder = new TreeBuilder({ ...this.#options, depth, maxPendingBytes })
  }

  /** Ends a member, if what ended was the whole of its value. */
  #endValue(): void {
    if (this.#open > 1) return
    const { value } = this.#builder
    if (isPriorityPath(this.#path) && !isPriorityValue(value)) {
      throw failure('ERR_INVALID_PRIORITY', 'a priority is a number, a string or null', this.#place)
    }
    const { heldBytes } = this.#builder
    this.#options.heldValues?.addBytes(this.#name.length + heldBytes, this.#place)
    this.#heldBytes += heldBytes
    const replaced = this.#members.get(this.#name)?.value.handle
    if (replaced !== undefined) this.#options.sink?.discard(replaced)
    this.#members.set(this.#name, { key: this.#name, path: this.#path, value })
  }
}

function memberPath(name: string, at: TextPlace): Path {
  try {
    return parseUpdatePath(name)
  } catch (error) {
    if (!(error instanceof TreeError)) throw error
    if (error.code === 'ERR_INVALID_PATH') throw invalidKey(faultOf(name), at)
    throw failure(error.code, error.message, at)
  }
}

/** What is wrong with the first key of a path that no tree can hold; a path may have no key at all. */
function faultOf(name: string): Pick<KeyFault, 'tooLong' | 'isControl'> {
  for (const key of name.split('/')) {
    const fault = key === '' ? undefined : keyFault(key)
    if (fault !== undefined) return fault
  }
  return { tooLong: false }
}

function isPriorityValue({ node }: BuiltValue<unknown>): boolean {
  const isObject = typeof node === 'object' && node !== null
  return isObject ? node instanceof ServerValue : node !== undefined && typeof node !== 'boolean'
}

function failure(code: TreeErrorCode, text: string, { line, column }: TextPlace): TreeError {
  return new TreeError(code, `Invalid data at ${line}:${column}: ${text}`, { line, column })
}
