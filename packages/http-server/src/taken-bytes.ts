import type { Socket } from 'node:net'

/** What Node itself looks at to see whether something of a write has left that is still going on; not documented. */
interface HandledSocket {
  readonly _handle?: Handle | null
}

interface Handle {
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
  /** What is below TLS, of whose own queue a write leaves as a whole, when its last byte has. */
  readonly _parent?: Handle | null
}

/** How many bytes of a socket the system has taken, those among them that TLS adds. */
export function takenBytes(socket: Socket): number {
  const handle = handleOf(socket)
  const { _parent: lowest = handle } = handle ?? {}
  const { bytesWritten = socket.bytesWritten, writeQueueSize = 0 } = lowest ?? {}
  return bytesWritten - writeQueueSize
}

/** Whether the system has taken all that was written, as far as that can be seen. */
export function hasTakenAll(socket: Socket): boolean {
  return handleOf(socket)?.writeQueueSize === 0
}

function handleOf(socket: Socket): Handle | null | undefined {
  const { _handle: handle } = socket as HandledSocket
  return handle
}
