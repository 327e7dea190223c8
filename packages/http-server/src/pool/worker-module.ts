// As source or as built, whichever this module is.
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** The module of a kind of thread. */
export function workerModule(name: 'reader-worker' | 'writer-worker'): URL {
  return new URL(`./${name}${extension}`, import.meta.url)
}
