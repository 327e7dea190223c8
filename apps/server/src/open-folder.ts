import type { OpenTreeOptions, StorageErrorCode, Tree } from '@elkyn/storage-lmdb'
import { CommandError } from './command-error.ts'

/** What to do about a folder that cannot be opened. */
const hints: Partial<Record<StorageErrorCode, string>> = {
  ERR_STORE_LOCKED: 'Stop that process first. If it is a server, commands reach it with --url.',
  ERR_FORMAT_UNKNOWN: 'Open it with the version of Elkyn DB that made it; nothing was changed.',
  ERR_STORE_CORRUPT: 'Restore a backup into another folder; nothing was changed.',
}

/**
 * Opens the tree in a data folder.
 * @throws {CommandError} `unavailable`, with the way out.
 */
export async function openFolder(options: OpenTreeOptions): Promise<Tree> {
  // Loaded only here: a server with threads leaves it to them, and starts sooner.
  const { openTree } = await import('@elkyn/storage-lmdb')
  try {
    return await openTree(options)
  } catch (error) {
    throw folderError(error)
  }
}

/** Why a folder could not be opened, here or in another thread, where errors lose their classes. */
export function folderError(error: unknown): CommandError {
  const message = error instanceof Error ? error.message : String(error)
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  const hint =
    code === 'ERR_FOLDER_INVALID' ? folderHint(error as Error) : hints[code as StorageErrorCode]
  return new CommandError('unavailable', message, { cause: error, hint })
}

/** What to do about a folder that is not the right one, for which there are several reasons with one code. */
function folderHint({ message, cause }: Error): string {
  if (message.endsWith('made for several databases')) {
    return 'Add --namespaces, or choose another folder with --data.'
  }
  if (message.endsWith('made for one database')) {
    return 'Leave out --namespaces, or choose another folder with --data.'
  }
  // With a cause it was the system that refused.
  return cause === undefined
    ? 'Choose another folder with --data.'
    : 'Choose another folder with --data, or see that this user may write there.'
}
