import type { OutgoingStream } from '../../src/exchange.ts'

/** A stream that nobody reads, and that takes everything at once. */
export const nowhere: OutgoingStream = {
  pendingBytes: 0,
  onDrain: undefined,
  write: () => true,
  writeLent: () => true,
  end: () => {},
  destroy: () => {},
}
