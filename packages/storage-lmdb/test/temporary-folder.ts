import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that goes, with all that is in it, at the end of the block that made it. */
export interface TemporaryFolder extends Disposable {
  readonly path: string
}

export function temporaryFolder(parent: string = tmpdir()): TemporaryFolder {
  const path = mkdtempSync(join(parent, 'elkyn-storage-'))
  return {
    path,
    [Symbol.dispose]() {
      rmSync(path, { recursive: true, force: true })
    },
  }
}
