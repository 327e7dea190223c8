import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'

/** The shortest limit that systems have for the path of a socket (macOS), with its final zero. */
const SOCKET_PATH_BYTES = 103

/** A folder under a name that is short enough for sockets in it. */
export interface SocketFolder {
  readonly path: string
  close(): void
}

/**
 * The folder under a name that is short enough for sockets in it: on Linux, where a path may be
 * long, by its descriptor.
 */
export function openSocketFolder(path: string, name: string): SocketFolder {
  if (process.platform !== 'linux' || Buffer.byteLength(join(path, name)) < SOCKET_PATH_BYTES) {
    return { path, close: () => {} }
  }
  const descriptor = openSync(path, 'r')
  return {
    path: `/proc/self/fd/${descriptor}`,
    close: () => {
      closeSync(descriptor)
    },
  }
}

/** @param onKnock Default: who connects is sent away. */
export async function listen(
  path: string,
  onKnock = (socket: Socket): unknown => socket.destroy(),
): Promise<Server> {
  const server = createServer(onKnock)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  // Holding a folder is no reason for a thread to live.
  return server.unref()
}

export async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()))
}

export async function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}

/**
 * Tells this process from all that are there with it, or were. Its number alone does not: in two containers that share
 * the folder it may be the same, and so may the start of two that begin together. Where there are none, it does.
 */
export const thisProcess: string = `${process.pid}-${process.platform === 'linux' ? startTicks() + space() : 0}`

/** When this process started, in ticks since the system did: setting the clock does not change it. */
function startTicks(): string {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  // The second field is a program's name in parentheses, which may hold any character; this is the 22nd.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
}

/**
 * In which space its number is no other's, in ten digits: each container has one of its own. 0 where the system knows of
 * none.
 */
function space(): string {
  let number: string | undefined
  try {
    number = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]
  } catch {
    // A kernel that was built without them.
  }
  return (number ?? '').padStart(10, '0')
}
