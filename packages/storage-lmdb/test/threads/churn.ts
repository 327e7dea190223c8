/*
 * What writers and readers of `churn-writer.ts` and `churn-reader.ts` agree on. Each writer has a
 * place of its own, which it replaces, changes and deletes; whatever lies there at a moment holds the
 * same version in all its leaves. In shared memory there is for each writer the last version whose
 * commit was answered, and one word that ends the readers.
 */
import type { OpenTreeOptions } from '../../src/index.ts'

export interface ChurnData {
  readonly options: OpenTreeOptions
  /** Word 0 ends the readers; then a word for each writer: the last version that was answered. */
  readonly words: Int32Array
  /** Where all wait for each other before they begin. */
  readonly barrier: Int32Array
  /** Number of writers. */
  readonly writers: number
  /** Which writer this is. */
  readonly writer: number
  /** Versions that a writer makes at least. */
  readonly commits: number
  /** When it may stop, in milliseconds since 1970. */
  readonly deadline: number
}

/** What a writer has written, to be compared with what others saw. */
export interface ChurnResult {
  readonly sequences: readonly number[]
  readonly version: number
}

export const KEYS = 120

/** The value of a version: mostly larger than a row, sometimes one row, sometimes nothing. */
export function valueOf(version: number): unknown {
  if (version % 7 === 0) return null
  if (version % 5 === 0) return { v: version }
  const leaf = { v: version, text: 'x'.repeat(version % 60) }
  return {
    v: version,
    list: Array.from({ length: KEYS }, () => leaf),
    deep: { er: Object.fromEntries(Array.from({ length: KEYS }, (_, key) => [`k${key}`, leaf])) },
  }
}
