import type { Exchange } from './exchange.ts'

/** Resolves when `write` has called back, or there is nobody any more to write to. */
export function leftOrGone(
  exchange: Pick<Exchange, 'isGone' | 'onGone' | 'offGone'>,
  write: (done: () => void) => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (exchange.isGone) {
    resolve()
    return promise
  }
  // What was never handed to a socket is not called back when that goes.
  const done = (): void => {
    exchange.offGone(done)
    resolve()
  }
  exchange.onGone(done)
  write(done)
  return promise
}
