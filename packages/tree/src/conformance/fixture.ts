import { parseJson } from '../parse.ts'
import { joinPath, parsePath } from '../path.ts'
import type { Path } from '../path.ts'
import type {
  Change,
  JsonForm,
  StageOptions,
  TreeStore,
  TreeWrite,
  WriteAccepted,
  WriteOutcome,
  WriteRefused,
  WriteValue,
} from '../store.ts'

/** What the suite asks of `expect`. That of Vitest and of Jest will do. */
export interface Expectation {
  toBe(expected: unknown): void
  toEqual(expected: unknown): void
}

/** The functions of a test runner. Those of Vitest and of Jest will do. */
export interface TestApi {
  readonly describe: (name: string, body: () => void) => unknown
  readonly test: (name: string, body: () => Promise<void>) => unknown
  readonly expect: (actual: unknown) => Expectation
}

/** What each part of the suite is given: how to define a test that gets an empty store. */
export interface Suite {
  readonly describe: TestApi['describe']
  readonly expect: TestApi['expect']
  /** Defines a test. The store is opened before it and closed after it. */
  readonly test: (name: string, body: (store: TreeStore) => Promise<void> | void) => void
}

/** Any path, that of a priority too. */
export function at(text: string): Path {
  return parsePath(text, { priority: true })
}

/** A write of one pair. */
export function set(path: string, value: WriteValue): TreeWrite {
  return { pairs: [{ path: at(path), value }] }
}

/** Writes JSON at a path, and fails if that is refused. */
export function put(store: TreeStore, path: string, json: string): WriteAccepted {
  return accepted(commit(store, set(path, parseJson(json))))
}

/** Commits one write by itself. */
export function commit(store: TreeStore, write: TreeWrite): WriteOutcome {
  return store.commit([write])[0] as WriteOutcome
}

export function accepted(outcome: WriteOutcome | undefined): WriteAccepted {
  if (outcome?.ok === true) return outcome
  throw new Error('The write was refused', { cause: outcome?.error })
}

export function refused(outcome: WriteOutcome | undefined): WriteRefused {
  if (outcome?.ok === false) return outcome
  throw new Error('The write was not refused')
}

/** The code of the error that an outcome carries; `undefined` when it has none. */
export function codeOf(outcome: WriteOutcome | undefined): unknown {
  return outcome?.ok === false ? errorCode(outcome.error) : undefined
}

/** The code of the error that `body` throws or rejects with; `undefined` when it does not. */
export async function failure(body: () => unknown): Promise<unknown> {
  try {
    await body()
    return undefined
  } catch (error) {
    return errorCode(error)
  }
}

/** The name of the error that `body` throws or rejects with; `undefined` when it does not. */
export async function thrown(body: () => unknown): Promise<unknown> {
  try {
    await body()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.name : error
  }
}

function errorCode(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

/** The JSON text that a fresh snapshot gives; `undefined` where nothing is. */
export function read(store: TreeStore, path: string, form?: JsonForm): string | undefined {
  using snapshot = store.snapshot()
  return textOf(snapshot.json(at(path), form))
}

export function etag(store: TreeStore, path: string): string {
  using snapshot = store.snapshot()
  return snapshot.etag(at(path))
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

/** Hears the changes of a store. */
export interface Recording {
  readonly changes: readonly Change[]
  /** Waits until so many changes were heard. */
  heard(count: number): Promise<readonly Change[]>
  stop(): void
}

/** Records what a store tells its subscribers, which it may do after `commit` has returned. */
export function record(store: TreeStore): Recording {
  const changes: Change[] = []
  let wake = Promise.withResolvers<void>()
  const stop = store.subscribe((more) => {
    changes.push(...more)
    wake.resolve()
    wake = Promise.withResolvers()
  })
  return {
    changes,
    stop,
    async heard(count) {
      while (changes.length < count) await wake.promise
      return changes
    },
  }
}

/** Stages JSON text, cut into chunks of so many bytes, and gives what came of it. */
export function stage(
  store: TreeStore,
  json: string,
  options: StageOptions & { readonly chunkBytes?: number } = {},
): TreeWrite['pairs'] {
  const { chunkBytes = Infinity, ...stageOptions } = options
  const stager = store.stage(stageOptions)
  const bytes = new TextEncoder().encode(json)
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    stager.write(bytes.subarray(start, start + chunkBytes))
  }
  return stager.end().map(({ key, value }) => ({ path: joinPath(at('/'), key), value }))
}

/** Each pair as the text `path=value`. */
export function shown(change: Change | undefined): string[] {
  return (change?.pairs ?? []).map(({ path, value }) => `${path}=${value?.text ?? 'too large'}`)
}
