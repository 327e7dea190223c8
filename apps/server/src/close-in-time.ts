import type { Logger } from 'pino'
import type { OpenServer } from './open-server.ts'

/** How long it may take to close, in milliseconds: more than requests and threads are given to end. */
const closeLimitMs = 30_000

/** Closes a server, and ends the process where it does not end by itself. */
export async function closeInTime(
  opened: Pick<OpenServer, 'close' | 'abort'>,
  log: Pick<Logger, 'fatal'>,
): Promise<void> {
  // Never cleared: a thread that hangs keeps the process when all is closed, too.
  setTimeout(() => {
    log.fatal('the server could not be closed, ending at once')
    void opened.abort()
  }, closeLimitMs).unref()
  await opened.close()
}
