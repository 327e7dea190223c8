import { flushCompileCache, getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import process from 'node:process'
import type { ResourceLimits } from 'node:worker_threads'

// As source or as built, whichever this module is.
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** The module of a kind of thread. */
export function workerModule(name: 'reader-worker' | 'writer-worker'): URL {
  return new URL(`./${name}${extension}`, import.meta.url)
}

/**
 * The environment of a thread: that of the process. Where the program caches what it has compiled, its
 * threads do so too, which they would not by themselves: it is most of the time that they take to start.
 */
export function threadEnvironment(): NodeJS.ProcessEnv {
  const folder = getCompileCacheDir()
  if (folder === undefined) return process.env
  // Node adds a folder for its own version.
  return { ...process.env, NODE_COMPILE_CACHE: dirname(folder) }
}

/**
 * The room of a thread for young objects, in MiB. With Node's 48 a body of 258 MB made collections of up to 24 ms and a
 * heap of 210 MB, with this 10 ms and 45 MB; small answers take the same processor time with either. Nothing else
 * may be limited: a thread that reaches a limit of its heap is ended, also in the middle of a transaction.
 */
export const threadLimits: ResourceLimits = { maxYoungGenerationSizeMb: 16 }

// By then whatever a thread needs for its first answers is compiled.
const flushAfterMs = 2000

/** Keeps what this thread has compiled, also for when the process is killed. Costs nothing without a cache. */
export function keepCompiled(): void {
  if (getCompileCacheDir() !== undefined) setTimeout(flushCompileCache, flushAfterMs).unref()
}
