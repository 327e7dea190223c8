import { Socket } from 'node:net'

/** What Node's HTTP server hangs on a socket, none of it documented; each is taken as it may not be there. */
interface HttpSocket {
  parser?: HttpParser | null
}

interface HttpParser {
  /** Gives the bytes back that it reads below the socket. */
  unconsume?(): void
  /** Takes it off the list of connections whose requests may take too long. */
  remove?(): void
  close?(): void
}

const listening = {
  on: Reflect.get(Socket.prototype, 'on'),
  addListener: Reflect.get(Socket.prototype, 'addListener'),
  prependListener: Reflect.get(Socket.prototype, 'prependListener'),
}

/**
 * Takes a socket from Node's HTTP server, which does the same itself for a tunnel. To be called when no
 * message is being parsed. All listeners but those of `timeout` are gone then, whoever added them.
 */
export function leaveHttp(socket: Socket): void {
  const http = socket as object as HttpSocket
  // Those that it has put on this socket do more than to listen, for the parser.
  Object.assign(http, listening)
  const onTimeout = socket.listeners('timeout') as (() => void)[]
  // One by one they would leave a table behind that takes more than the listeners.
  socket.removeAllListeners()
  for (const listener of onTimeout) socket.on('timeout', listener)
  const { parser } = http
  http.parser = null
  parser?.unconsume?.()
  parser?.remove?.()
  // Its stack may not have unwound.
  if (parser) setImmediate(() => parser.close?.())
  // Without a listener, what comes is thrown away.
  socket.resume()
}
