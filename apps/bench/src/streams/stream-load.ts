import { startChild } from '../child.ts'
import type { Elapsed, Latencies, StreamLoadMessage } from './stream-load-process.ts'

type Message<Kind> = Omit<Extract<StreamLoadMessage, { readonly kind: Kind }>, 'kind'>

/** Clients of streams, in a process of their own. */
export interface StreamLoad extends AsyncDisposable {
  open(message: Message<'open'>): Promise<void>
  close(): Promise<void>
  fanOut(message: Message<'fan out'>): Promise<Elapsed>
  scatter(message: Message<'scatter'>): Promise<Elapsed>
  pace(message: Message<'pace'>): Promise<Latencies>
  read(message: Message<'read'>): Promise<Elapsed>
}

export async function startStreamLoad(): Promise<StreamLoad> {
  const child = startChild('streams/stream-load-process.ts', {})
  await child.answer()
  return {
    async open(message) {
      await child.ask({ kind: 'open', ...message })
    },
    async close() {
      await child.ask({ kind: 'close' })
    },
    fanOut: async (message) => (await child.ask({ kind: 'fan out', ...message })) as Elapsed,
    scatter: async (message) => (await child.ask({ kind: 'scatter', ...message })) as Elapsed,
    pace: async (message) => (await child.ask({ kind: 'pace', ...message })) as Latencies,
    read: async (message) => (await child.ask({ kind: 'read', ...message })) as Elapsed,
    [Symbol.asyncDispose]: async () => child[Symbol.asyncDispose](),
  }
}
