import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { StartWorker } from './thread.ts'

/**
 * Starts a thread of Node.js. It inherits the flags of its process, and with `--input-type` none starts from a file, but from a text
 * that imports it. To pass the others on by `execArgv` would not do: that refuses those which count for the whole process.
 */
export const startWorker: StartWorker = (entry, options) => {
  const inherited = options.execArgv === undefined ? process.execArgv : []
  const mayBeFile = !inherited.some((argument) => argument.startsWith('--input-type'))
  if (mayBeFile || entry.protocol !== 'file:') return new Worker(entry, options)
  const source = `import ${JSON.stringify(entry.href)}`
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    ...options,
    // A text has no place of its own among them.
    argv: [fileURLToPath(entry), ...(options.argv ?? [])],
  })
}
