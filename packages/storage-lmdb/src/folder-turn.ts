// lmdb has one environment for all threads that open a folder, opened as the first of them does: a reader that is the first,
// because it has taken another one that only begins for a writer, would let nobody write any more. So they open it, and close
// it, one after the other.
import { rmSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { close, listen, openSocketFolder, thisProcess } from './folder-sockets.ts'

/** Name of a socket that the thread listens on whose turn it is. The system takes it away with the thread. */
const TURN_NAME = /^turn-(?<process>\d+-\d+)\.sock$/

/** Milliseconds, and attempts of one each, after which a socket that does not answer was left behind by an earlier process. */
const PATIENCE = 500

/** Whether a file is the socket of another process for this. */
export function isTurnOfOther(name: string): boolean {
  const owner = TURN_NAME.exec(name)?.groups?.['process']
  return owner !== undefined && owner !== thisProcess
}

/**
 * Waits until no other thread of this process opens LMDB in a folder, or closes it.
 * @returns the way to let others do so again.
 */
export async function takeTurn(path: string): Promise<() => Promise<void>> {
  const name = `turn-${thisProcess}.sock`
  const folder = openSocketFolder(path, name)
  const socketPath = join(folder.path, name)
  const file = join(path, name)
  let refused: string | undefined
  try {
    for (let refusals = 0; ;) {
      const waiting = new Set<Socket>()
      const server = await listenFirst(socketPath, waiting)
      if (server !== undefined) {
        return async () => {
          const closed = close(server)
          for (const socket of waiting) socket.destroy()
          await closed
          folder.close()
        }
      }
      if (!(await isRefused(socketPath))) continue
      // Who has just made its socket does not listen yet.
      await setTimeout(1)
      const before = refused
      refused = identityOf(file)
      // Another waiter may have removed it just now, and begun to listen in its place.
      refusals = refused === before ? refusals + 1 : 0
      if (refusals === PATIENCE) rmSync(file, { force: true })
    }
  } catch (error) {
    folder.close()
    throw error
  }
}

/** @returns `undefined` where somebody else does. */
async function listenFirst(path: string, waiting: Set<Socket>): Promise<Server | undefined> {
  try {
    return await listen(path, (socket) => {
      waiting.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => waiting.delete(socket))
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
}

/** Waits until the one whose turn it is has ended that. @returns whether nobody listens. */
async function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    let code: string | undefined
    socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code))
    socket.once('close', () => resolve(code === 'ECONNREFUSED'))
  })
}

/** Tells a file from others that had its name before. */
function identityOf(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stats && `${stats.ino} ${stats.ctimeNs}`
}
