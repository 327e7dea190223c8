import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
}

const paths = new Set<string>()

/**
 * A new folder that goes away with everything in it when it is disposed of, or else when the process
 * ends, also by Ctrl-C: a gigabyte should not stay behind.
 */
export async function makeTemporaryFolder(): Promise<TemporaryFolder> {
  removeAtExit()
  const path = await mkdtemp(join(tmpdir(), 'elkyn-bench-'))
  paths.add(path)
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true })
      paths.delete(path)
    },
  }
}

let isRemovedAtExit = false

function removeAtExit(): void {
  if (isRemovedAtExit) return
  isRemovedAtExit = true
  process.on('exit', () => {
    for (const path of paths) rmSync(path, { recursive: true, force: true })
  })
  process.once('SIGINT', () => process.exit(130))
}
