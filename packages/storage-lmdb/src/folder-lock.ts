import { randomInt } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { StorageError } from './errors.ts'
import { close, isAnswered, listen, openSocketFolder, thisProcess } from './folder-sockets.ts'
import { isTurnOfOther } from './folder-turn.ts'

/*
 * LMDB itself lets several processes in, but commit counter, remembered heads and subscriptions live
 * in one. Node has no file locks, so each thread that has the folder open listens on a socket in it,
 * whose name says of which process it is. The system stops answering for it when the thread ends,
 * however it ends. Who opens the folder listens first, then knocks at the sockets of other processes:
 * one that is answered refuses it, one that is not was left behind and is removed. The knock needs
 * only the system, so that a busy process is never taken for a dead one.
 */

/**
 * Name of a socket: process number, when and in which space of numbers it started; then the thread, and a number by chance: a
 * count would be the same in two copies of this module. Older versions look for these four numbers, so that a further one
 * would let them in.
 */
const SOCKET_NAME = /^(?<mode>open|alone)-(?<process>(?<pid>\d+)-\d+)-\d+-\d+\.sock$/
const randomNumbers = 2 ** 40

/** Holds a folder for this process until released. */
export interface FolderLock {
  /** Whether this process has the folder open elsewhere too. */
  isShared(): Promise<boolean>
  release(): Promise<void>
}

/**
 * @param mode `open` lets in others of this process, `alone` does not; who is alone still has to ask
 * whether somebody was there before.
 * @throws {StorageError} `ERR_STORE_LOCKED` when another process has the folder open.
 */
export async function lockFolder(
  path: string,
  mode: 'open' | 'alone' = 'open',
): Promise<FolderLock> {
  const name = `${mode}-${thisProcess}-${threadId}-${randomInt(randomNumbers)}.sock`
  const folder = openSocketFolder(path, name)
  const file = join(path, name)
  try {
    rmSync(file, { force: true })
    const server = await listen(join(folder.path, name))
    try {
      for (const other of readdirSync(path)) {
        if (other !== name && refuses(other)) await knock(path, folder.path, other)
      }
      for (const other of readdirSync(path)) {
        // Left behind: who else is at it will be refused.
        if (isTurnOfOther(other)) rmSync(join(path, other), { force: true })
      }
      // Somebody who knocked before this socket listened may have taken it for a dead one's.
      if (!existsSync(file)) throw locked(path, 'another process is opening it')
    } catch (error) {
      await close(server)
      throw error
    }
    return {
      isShared: async () => {
        const others = readdirSync(path).filter(
          (other) => SOCKET_NAME.test(other) && other !== name,
        )
        const answers = others.map(async (other) => isAnswered(join(folder.path, other)))
        return (await Promise.all(answers)).includes(true)
      },
      release: async () => {
        await close(server)
        folder.close()
      },
    }
  } catch (error) {
    folder.close()
    throw error
  }
}

/** @throws {StorageError} when somebody listens. */
async function knock(path: string, folder: string, name: string): Promise<void> {
  if (await isAnswered(join(folder, name))) {
    throw locked(path, `process ${SOCKET_NAME.exec(name)?.groups?.['pid']} has it open`)
  }
  rmSync(join(path, name), { force: true })
}

function locked(path: string, why: string): StorageError {
  return new StorageError(
    'ERR_STORE_LOCKED',
    `Cannot open "${path}": ${why}. One process at a time can, with all its threads`,
  )
}

/** Whether a name is that of a socket whose owner lets nobody in: another process, or one that compacts. */
function refuses(name: string): boolean {
  const { mode, process: owner } = SOCKET_NAME.exec(name)?.groups ?? {}
  return mode !== undefined && (mode === 'alone' || owner !== thisProcess)
}
