import type { Socket } from 'node:net'

/** What Node's HTTP server notes of a socket from which it reads no more until answers have left; not documented. */
interface HttpSocket {
  readonly _paused?: boolean
}

/**
 * Reads on from a socket that was paused here. Where Node's HTTP server has paused it as well, that does so itself when it
 * can: bytes that come before fail an assertion of it, which would end the process.
 */
export function readOn(socket: Socket): void {
  const { _paused: isPausedByNode } = socket as HttpSocket
  if (isPausedByNode !== true) socket.resume()
}
