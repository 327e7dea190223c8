import { isReservedName, quote, TreeError } from '@elkyn/tree'
import type { JsonHandler, TextPlace } from '@elkyn/tree'

/** Text of the current part that was not taken yet. */
export interface PartText {
  readonly text: string
  /** Set when the part ends with the text: where the next one begins, `undefined` for nowhere. */
  readonly end?: { readonly next: string | undefined }
}

export interface DocumentCutterOptions {
  /**
   * A part ends where it has this many characters and a cut is possible, with twice as many at the
   * latest as a rule. A value that is shorter than this is never cut. Default: a part never ends.
   */
  readonly partLength?: number
  /**
   * It ends likewise where it has so many names and server values, since a server takes no more. 1,000 bytes of memory in members
   * that the server holds count as one. Default: any number.
   */
  readonly partValues?: number
  /** Refuses a document that cannot be one part, because an update would repeat a name. Default: false. */
  readonly onePart?: boolean
  /** Makes the first part an update too, so that members which the document lacks stay. Default: false. */
  readonly merge?: boolean
  /** Keys that lead to the member with which the first part begins. Default: the whole document. */
  readonly resumeFrom?: readonly string[]
  /** Makes the key of a member name. Default: the name as it is. */
  readonly toKey?: (name: string) => string
}

/** An object or array of which the end was not yet read. */
interface Frame {
  readonly isArray: boolean
  /** Path in the document; '' for its root. */
  readonly path: string
  /** Name of the member, or index of the item, that is being read. */
  key: string
  items: number
  /** Members and items in the text of the current part. */
  written: number
  /** How much of the current part was written when it was opened. */
  readonly start: number
  /** Whether something in it exists for certain once the part is stored: a leaf that is not null. */
  isSolid: boolean
  /** The member in which that is, the last of several. */
  solidKey: string | undefined
  /** Whether its priority came before that. */
  hasEarlyPriority: boolean
}

/** Who has so many members is no small record. */
const manyMembers = 100

// About the most that a server takes for a value, for a container besides, and for each character of a text.
const valueBytes = 100
const containerBytes = 184
const characterBytes = 2

/** A member of an update that takes more, by this count, is not held unless it is a text: it takes more than 64 KiB. */
const heldMemberBytes = 128 * 1024

/**
 * Writes the tokens of a JSON document as text again, in parts that are valid JSON each. Done in
 * order, the writes come to the whole document:
 *
 *     {"a": {"x": 1, "y": 2, "z": 3}, "b": 4}
 *     set     {"a":{"x":1}}
 *     update  {"a/y":2,"a/z":3,"b":4}
 *
 * A container that is open at a cut is closed in the text; the next part names what is left of its
 * members by path. So nothing is ever read twice or held longer than the part takes.
 *
 * - C1: a cut is in front of a member or item whose containers all are solid, but for one that C4 demands. So they exist in
 *   the tree when the next part comes, and a `.priority` on either side of the cut finds its node.
 * - C2: no cut is inside a member with a reserved name, such as `.sv`, which is one value.
 * - C3: no cut is inside a value of less than `partLength`, so that nobody sees half of a small record, unless the part is
 *   full of values and that one has a hundred members.
 * - C4: no name in an update is equal to, or above, another one: stores refuse that. Only members
 *   that repeat a name could do it, and then the later one begins a new part, or is refused.
 */
export class DocumentCutter implements JsonHandler {
  readonly #partLength: number
  readonly #partValues: number
  readonly #onePart: boolean
  readonly #merge: boolean
  readonly #toKey: ((name: string) => string) | undefined
  /** Set until the member to begin with is found. */
  #resumeFrom: readonly string[] | undefined
  readonly #frames: Frame[] = []
  /** So many frames were opened before the current part, which names their members by path. */
  #kept = 0
  #isUpdate = false
  #text = ''
  #takenLength = 0
  /** In an update: how many names it has, and those that must not come again (C4). */
  #names = 0
  #serverValues = 0
  /** In an update: what its members take in memory that a server holds, and what the last one takes so far. */
  #heldBytes = 0
  #memberBytes = 0
  readonly #taken = new Set<string>()
  readonly #ended: Required<PartText>[] = []

  constructor(options: DocumentCutterOptions = {}) {
    this.#partLength = options.partLength ?? Infinity
    this.#partValues = options.partValues ?? Infinity
    this.#onePart = options.onePart ?? false
    this.#merge = options.merge ?? false
    this.#toKey = options.toKey
    this.#resumeFrom = options.resumeFrom
  }

  /** Whether the member to begin with was not met yet. */
  get isSkipping(): boolean {
    return this.#resumeFrom !== undefined
  }

  /** Takes what there is of the first part that was not taken to its end. */
  take(): PartText {
    const ended = this.#ended.shift()
    if (ended !== undefined) return ended
    const text = this.#text
    this.#text = ''
    this.#takenLength += text.length
    return { text }
  }

  /** Ends the last part. To be called behind the last token. */
  end(): void {
    this.#endPart(undefined)
  }

  startObject(): void {
    this.#startContainer(false)
  }

  endObject(): void {
    this.#endContainer('}')
  }

  startArray(at: TextPlace): void {
    this.#checkMergeable(at)
    this.#startContainer(true)
  }

  endArray(): void {
    this.#endContainer(']')
  }

  key(name: string, { line, column }: TextPlace): void {
    const frame = this.#frames.at(-1) as Frame
    if (name === '.sv') this.#serverValues++
    frame.key = this.#toKey === undefined || isReservedName(name) ? name : this.#toKey(name)
    if (!this.#onePart || !this.#mustCut(frame)) return
    const message = `Cannot merge at ${line}:${column}: ${quote(name)} was there before`
    throw new TreeError('ERR_PATH_CONFLICT', message, { line, column })
  }

  string(value: string, at: TextPlace): void {
    this.#checkMergeable(at)
    this.#leaf(quote(value))
  }

  number(literal: string, at: TextPlace): void {
    this.#checkMergeable(at)
    this.#leaf(literal)
  }

  word(value: boolean | null, at: TextPlace): void {
    this.#checkMergeable(at)
    this.#leaf(String(value))
  }

  /** For a value that is no object: it has no members to merge when it is the whole document. */
  #checkMergeable({ line, column }: TextPlace): void {
    if (!this.#merge || this.#frames.length > 0) return
    const message = `Cannot merge at ${line}:${column}: the document is not an object`
    throw new TreeError('ERR_NOT_AN_OBJECT', message, { line, column })
  }

  #leaf(text: string): void {
    this.#startValue()
    if (this.isSkipping) return
    this.#text += text
    if (this.#isNamed) this.#heldBytes += characterBytes * text.length
    else this.#memberBytes += characterBytes * text.length
    const frame = this.#frames.at(-1)
    if (frame !== undefined) this.#member(frame, text !== 'null')
  }

  /** Notes what the member that was read means for its container. */
  #member(frame: Frame, isSolid: boolean): void {
    if (frame.key === '.priority') {
      if (!frame.isSolid) frame.hasEarlyPriority = true
    } else if (isSolid) {
      frame.isSolid = true
      frame.solidKey = frame.key
    } else if (frame.key === frame.solidKey && !frame.isArray) {
      // It took the place of the one that had shown it.
      frame.isSolid = false
      frame.solidKey = undefined
    }
  }

  #startContainer(isArray: boolean): void {
    this.#startValue()
    const parent = this.#frames.at(-1)
    const path = parent === undefined ? '' : `${parent.path}/${parent.key}`
    this.#frames.push({
      isArray,
      path,
      key: '',
      items: 0,
      written: 0,
      start: this.#length,
      isSolid: false,
      solidKey: undefined,
      hasEarlyPriority: false,
    })
    if (this.isSkipping) return
    this.#memberBytes += containerBytes
    if (parent === undefined && this.#merge) this.#startUpdate()
    else this.#text += isArray ? '[' : '{'
  }

  #endContainer(bracket: string): void {
    const frame = this.#frames.pop()
    const parent = this.#frames.at(-1)
    if (frame !== undefined && parent !== undefined) this.#member(parent, frame.isSolid)
    if (this.isSkipping) return
    if (this.#frames.length < this.#kept) this.#kept = this.#frames.length
    else this.#text += bracket
  }

  /** Does what comes in front of every value: counts items, cuts, and writes the name. */
  #startValue(): void {
    const frame = this.#frames.at(-1)
    if (frame === undefined) return
    if (frame.isArray) frame.key = String(frame.items++)
    if (this.#isNamed) this.#endMember()
    if (this.#resumeFrom !== undefined) {
      if (!this.#isAt(this.#resumeFrom)) return
      this.#resumeFrom = undefined
      // They were stored with the parts before.
      for (const open of this.#frames) open.isSolid = true
      this.#startUpdate()
    } else if (this.#mustCut(frame) || (this.#isLong && this.#mayCut(frame))) {
      this.#endPart(`${frame.path}/${frame.key}`)
      this.#startUpdate()
    }
    this.#writeName(frame)
  }

  /** Counts the member of an update that was read before. */
  #endMember(): void {
    if (this.#memberBytes < heldMemberBytes) this.#heldBytes += this.#memberBytes
    this.#memberBytes = 0
  }

  #isAt(keys: readonly string[]): boolean {
    return (
      keys.length === this.#frames.length &&
      this.#frames.every((frame, level) => frame.key === keys[level])
    )
  }

  /** C4. */
  #mustCut(frame: Frame): boolean {
    if (frame.isArray || this.#frames.length > this.#kept) return false
    return this.#taken.has(`${frame.path}/${frame.key}`)
  }

  get #isLong(): boolean {
    return this.#length >= this.#partLength || this.#isFull
  }

  /** Whether what comes next is a member of the update itself, under its path. */
  get #isNamed(): boolean {
    return this.#frames.length <= this.#kept
  }

  /** Whether it has so many values that a server would take no more. */
  get #isFull(): boolean {
    return this.#names + this.#serverValues + this.#heldBytes / 1000 >= this.#partValues
  }

  /** How much of the current part is written. */
  get #length(): number {
    return this.#takenLength + this.#text.length
  }

  #mayCut(innermost: Frame): boolean {
    // C1: the containers around a solid one are solid.
    if (!innermost.isSolid && !this.#isLongDeletion(innermost)) return false
    // C2.
    if (this.#frames.some(({ key }) => isReservedName(key))) return false
    // C3: one that was opened in an earlier part has been cut already.
    if (this.#isNamed) return this.#names > 0
    if (this.#isFull && innermost.written >= Math.min(this.#partValues, manyMembers)) return true
    return this.#length - innermost.start >= this.#partLength
  }

  /**
   * Whether nothing but deletions of a merge has come, and no more fit: they need no node that exists. One that exists is
   * made anew by what comes later where they delete all of it, without the priority that it had.
   */
  #isLongDeletion({ hasEarlyPriority }: Frame): boolean {
    return this.#merge && this.#isFull && this.#frames.length === 1 && !hasEarlyPriority
  }

  #endPart(next: string | undefined): void {
    for (const { isArray } of this.#frames.slice(this.#kept).toReversed()) {
      this.#text += isArray ? ']' : '}'
    }
    if (this.#isUpdate) this.#text += '}'
    this.#ended.push({ text: this.#text, end: { next } })
    this.#text = ''
    this.#takenLength = 0
  }

  #startUpdate(): void {
    this.#isUpdate = true
    this.#text = '{'
    this.#kept = this.#frames.length
    this.#names = 0
    this.#serverValues = 0
    this.#heldBytes = 0
    this.#memberBytes = 0
    this.#taken.clear()
    for (const { path } of this.#frames) this.#taken.add(path)
  }

  #writeName(frame: Frame): void {
    this.#memberBytes += valueBytes + characterBytes * frame.key.length
    if (this.#isNamed) {
      const path = `${frame.path}/${frame.key}`
      if (!frame.isArray) this.#taken.add(path)
      this.#text += `${this.#names++ === 0 ? '' : ','}${quote(path.slice(1))}:`
      return
    }
    if (frame.written++ > 0) this.#text += ','
    if (!frame.isArray) this.#text += `${quote(frame.key)}:`
  }
}
