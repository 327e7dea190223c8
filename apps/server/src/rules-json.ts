/** A value of a rules file, and where it begins. */
export type RulesValue =
  | { readonly kind: 'object'; readonly at: number; readonly members: readonly RulesMember[] }
  | { readonly kind: 'array'; readonly at: number; readonly items: readonly RulesValue[] }
  | { readonly kind: 'string'; readonly at: number; readonly value: string }
  | { readonly kind: 'other'; readonly at: number; readonly value: number | boolean | null }

export interface RulesMember {
  readonly name: string
  /** Where the name begins. */
  readonly at: number
  readonly value: RulesValue
}

/** What is wrong with a rules file, and where. */
export class RulesError extends Error {
  override readonly name = 'RulesError'
  /** Number of UTF-16 units before the place. */
  readonly at: number

  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

/** Line and column of a place, both from 1 on. */
export function lineAndColumn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n')
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
}

/**
 * Reads JSON as rules files are written: with comments, commas behind the last member, and line breaks
 * and tabs inside of strings.
 *
 * @throws {RulesError}
 */
export function parseRulesJson(text: string): RulesValue {
  const parser = new Parser(text)
  const value = parser.value(0)
  parser.end()
  return value
}

// More than any tree of rules needs, and little enough for the stack.
const maxDepth = 100

// What may stand in a string as it is: line breaks and tabs too, other control characters not.
// oxlint-disable-next-line no-control-regex -- control characters are what it leaves out
const stringPart = /[^"\\\u0000-\u0008\u000b\u000c\u000e-\u001f]*/y
const escape = /\\(?:["\\/bfnrt]|u[\da-f]{4})/iy
const space = /(?:[ \t\r\n]|\/\/[^\n]*|\/\*[^]*?\*\/)*/y
const word = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null/iy

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
    // A byte order mark, which some editors write.
    if (text.startsWith('\ufeff')) this.#at = 1
  }

  value(depth: number): RulesValue {
    this.#match(space)
    const at = this.#at
    const next = this.#text[at]
    if (depth > maxDepth) throw new RulesError(at, 'The rules are nested too deep.')
    if (next === '{') return { kind: 'object', at, members: this.#members(depth) }
    if (next === '[') return { kind: 'array', at, items: this.#items(depth) }
    if (next === '"') return { kind: 'string', at, value: this.#string() }
    return { kind: 'other', at, value: this.#word() }
  }

  end(): void {
    this.#match(space)
    if (this.#at < this.#text.length) throw this.#unexpected()
  }

  #members(depth: number): readonly RulesMember[] {
    return this.#list('}', () => {
      const at = this.#at
      if (this.#text[at] !== '"') throw this.#expected('"')
      const name = this.#string()
      this.#match(space)
      if (!this.#take(':')) throw this.#expected(':')
      return { name, at, value: this.value(depth + 1) }
    })
  }

  #items(depth: number): readonly RulesValue[] {
    return this.#list(']', () => this.value(depth + 1))
  }

  /** What stands between an opening bracket and its end, with commas behind. */
  #list<T>(end: string, read: () => T): readonly T[] {
    const list: T[] = []
    this.#at++
    for (;;) {
      this.#match(space)
      if (this.#take(end)) return list
      if (this.#text[this.#at] === ',')
        throw list.length === 0 ? this.#unexpected() : this.#expected('"')
      list.push(read())
      this.#match(space)
      if (this.#take(end)) return list
      if (!this.#take(',')) throw this.#expected(end)
    }
  }

  #string(): string {
    const start = this.#at++
    for (;;) {
      this.#match(stringPart)
      if (this.#take('"')) break
      if (this.#text[this.#at] !== '\\') throw this.#unexpected()
      if (this.#match(escape) === undefined) {
        throw new RulesError(
          this.#at,
          `Invalid escape: '${this.#text.slice(this.#at, this.#at + 2)}'`,
        )
      }
    }
    const source = this.#text
      .slice(start, this.#at)
      .replaceAll('\r', String.raw`\r`)
      .replaceAll('\n', String.raw`\n`)
      .replaceAll('\t', String.raw`\t`)
    return JSON.parse(source) as string
  }

  #word(): number | boolean | null {
    const text = this.#match(word)
    if (text === undefined) throw this.#unexpected()
    try {
      return JSON.parse(text) as number | boolean | null
    } catch {
      throw new RulesError(this.#at - text.length, `Unexpected '${text}'.`)
    }
  }

  /** Takes what the sticky expression finds here; `undefined` where it finds nothing. */
  #match(expression: RegExp): string | undefined {
    expression.lastIndex = this.#at
    const [found] = expression.exec(this.#text) ?? []
    this.#at += found?.length ?? 0
    return found
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #expected(what: string): RulesError {
    return new RulesError(this.#at, `Expected '${what}'.`)
  }

  #unexpected(): RulesError {
    const found = this.#text[this.#at]
    const message = found === undefined ? 'Unexpected end of the file.' : `Unexpected '${found}'.`
    return new RulesError(this.#at, message)
  }
}
