import { checkKey, TreeError } from '@elkyn/tree'
import type { JsonHandler, TextPlace } from '@elkyn/tree'

/**
 * Passes each token on to two handlers: one that checks it, and then one that uses it. An error
 * about a member name says which one it is.
 */
export class CheckedHandler implements JsonHandler {
  readonly #checker: JsonHandler
  readonly #user: JsonHandler

  constructor(checker: JsonHandler, user: JsonHandler) {
    this.#checker = checker
    this.#user = user
  }

  startObject(at: TextPlace): void {
    this.#checker.startObject(at)
    this.#user.startObject(at)
  }

  endObject(at: TextPlace): void {
    this.#checker.endObject(at)
    this.#user.endObject(at)
  }

  startArray(at: TextPlace): void {
    this.#checker.startArray(at)
    this.#user.startArray(at)
  }

  endArray(at: TextPlace): void {
    this.#checker.endArray(at)
    this.#user.endArray(at)
  }

  key(name: string, at: TextPlace): void {
    try {
      this.#checker.key(name, at)
    } catch (error) {
      throw named(error, name)
    }
    this.#user.key(name, at)
  }

  string(value: string, at: TextPlace): void {
    this.#checker.string(value, at)
    this.#user.string(value, at)
  }

  number(literal: string, at: TextPlace): void {
    this.#checker.number(literal, at)
    this.#user.number(literal, at)
  }

  word(value: boolean | null, at: TextPlace): void {
    this.#checker.word(value, at)
    this.#user.word(value, at)
  }
}

/** The same error in words that name the key, where the key itself is what is wrong. */
function named(error: unknown, name: string): unknown {
  if (!(error instanceof TreeError) || error.code !== 'ERR_INVALID_KEY') return error
  try {
    checkKey(name)
    return error
  } catch (fault) {
    const { code, line = 0, column = 0 } = error
    const reason = fault instanceof TreeError ? fault.message : error.message
    return new TreeError(code, `${reason}, at ${line}:${column}`, { line, column, cause: error })
  }
}
