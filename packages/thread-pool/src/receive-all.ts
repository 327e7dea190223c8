import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'

/**
 * Hears what has arrived on a port, without a turn of the event loop.
 * @param receive Returns false where the rest can wait
 * @param onUnreadable Called for each message that nests too deep for the stack of this thread
 */
export function receiveAll(
  port: MessagePort,
  receive: (message: never) => unknown,
  onUnreadable: () => void,
): void {
  for (;;) {
    let received: { message: unknown } | undefined
    try {
      received = receiveMessageOnPort(port)
    } catch {
      // It is off the port, as with `messageerror`.
      onUnreadable()
      continue
    }
    if (received === undefined) return
    if (receive(received.message as never) === false) return
  }
}
