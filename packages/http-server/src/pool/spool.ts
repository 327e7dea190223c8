import { randomUUID } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** Makes a file that has no name any more, so that it goes with the process whatever happens. */
export async function openSpoolFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `.answer-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}
