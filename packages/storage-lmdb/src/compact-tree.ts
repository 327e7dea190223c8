import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { rootPath } from '@elkyn/tree'
import { StorageError } from './errors.ts'
import { folderError } from './failures.ts'
import { lockFolder } from './folder-lock.ts'
import { checkData, readFolder, removeWork, syncFolder, workFolder } from './folder.ts'
import { storeOptions } from './open-tree.ts'
import type { OpenTreeOptions } from './open-tree.ts'
import { LmdbTreeStore } from './store.ts'

/** Parts of the change log that are copied in one transaction. */
const LOG_ENTRIES_A_COMMIT = 256

/**
 * Writes the data of a folder anew, while nobody has it open: values that shrank become single rows
 * again, and pages that nothing uses are given back to the disk. Needs as much room again meanwhile.
 * The old data stays until the new is complete. After a crash the folder has it still, and whoever opens it next for
 * writing, or compacts it, removes what there is of the new.
 *
 * @param options As for `openTree`, with the same encryption key.
 * @throws {StorageError} as `openTree`; `ERR_STORE_LOCKED` while somebody has it open.
 */
export async function compactTree(options: OpenTreeOptions): Promise<void> {
  const { path, encryptionKey } = options
  // Before anything is touched.
  storeOptions(options, '')
  const info = readFolder(path, encryptionKey)
  if (info === undefined) {
    throw new StorageError(
      'ERR_FOLDER_INVALID',
      `Cannot compact "${path}": there is no database in it`,
    )
  }
  const lock = await lockFolder(path, 'alone').catch((error: unknown) => {
    throw folderError(error, `Cannot compact "${path}"`)
  })
  const work = workFolder(path)
  try {
    if (await lock.isShared()) {
      throw new StorageError(
        'ERR_STORE_LOCKED',
        `Cannot compact "${path}": this process has it open`,
      )
    }
    await checkData(path, info, lock)
    removeWork(path)
    mkdirSync(work)
    const { epoch } = info
    // Whatever the options say of how to use the data, here it is all written once and synced.
    const settings = {
      ...options,
      durability: 'full',
      readOnly: false,
      maxBytes: Infinity,
    } as const
    // Those that the old data has stay as they are, and the new data gets the ones asked for.
    const from = new LmdbTreeStore({ ...storeOptions(settings, epoch), indexes: undefined })
    try {
      const indexes = settings.indexes ?? from.definitions()
      const target = storeOptions({ ...settings, path: work, indexes }, epoch)
      await copy(from, new LmdbTreeStore(target))
    } finally {
      await from.close()
    }
    renameSync(join(work, 'data.mdb'), join(path, 'data.mdb'))
    // The readers' table belongs to the old file.
    rmSync(join(path, 'lock.mdb'), { force: true })
    syncFolder(path)
  } finally {
    try {
      removeWork(path)
    } finally {
      await lock.release()
    }
  }
}

async function copy(from: LmdbTreeStore, to: LmdbTreeStore): Promise<void> {
  try {
    using snapshot = from.snapshot()
    // Each of several databases may be as deep as a tree is, and lies one key below the root. What is there was
    // checked when it was written.
    const stager = to.stage({ path: rootPath, depth: -1 })
    // In export form, so that priorities come along.
    for (const block of snapshot.jsonBlocks(rootPath, 'export') ?? [nothing]) stager.write(block)
    const [root] = stager.end()
    const [outcome] = to.commit([{ pairs: [{ path: rootPath, value: root!.value }] }])
    if (outcome?.ok === false) throw outcome.error
    to.copyHistory(from, LOG_ENTRIES_A_COMMIT)
  } finally {
    await to.close()
  }
}

const nothing = Buffer.from('null')
