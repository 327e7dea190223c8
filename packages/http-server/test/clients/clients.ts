import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { EventSource as NpmEventSource } from 'eventsource'
import { createEventSource } from 'eventsource-client'
import { EventSource as UndiciEventSource } from 'undici'

/** Connects to a stream and gives the data of each `put`, and comes back by itself whenever it is cut off. */
export type StreamClient = (url: string, onPut: (data: string) => void) => Disposable

/** Clients that others wrote, which run in this process or are started by it. */
export const clients: Readonly<Record<string, StreamClient>> = {
  eventsource: (url, onPut) => disposable(new NpmEventSource(url), onPut),
  "undici's EventSource": (url, onPut) => disposable(new UndiciEventSource(url), onPut),
  'eventsource-client': (url, onPut) => {
    const client = createEventSource({
      url,
      onMessage: ({ event, data }) => {
        if (event === 'put') onPut(data)
      },
    })
    return { [Symbol.dispose]: () => client.close() }
  },
}

interface EventSourceLike {
  addEventListener(type: 'put', listener: (event: { readonly data: string }) => void): void
  close(): void
}

function disposable(source: EventSourceLike, onPut: (data: string) => void): Disposable {
  source.addEventListener('put', ({ data }) => onPut(data))
  return { [Symbol.dispose]: () => source.close() }
}

/** `curl -N` in a loop of a shell, which hands over the id of the last event. */
export function curlClient(url: string, onPut: (data: string) => void): Disposable {
  const closing = new AbortController()
  let lastEventId: string | undefined
  let child: ReturnType<typeof spawn> | undefined
  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const resume = lastEventId === undefined ? [] : ['-H', `Last-Event-ID: ${lastEventId}`]
      child = spawn('curl', ['-sN', '-H', 'Accept: text/event-stream', ...resume, url], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let rest = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) {
          lastEventId = /^id: (.*)$/m.exec(block)?.[1] ?? lastEventId
          const data = /^event: put\ndata: (.*)$/m.exec(block)?.[1]
          if (data !== undefined) onPut(data)
        }
      })
      await once(child, 'close')
    }
  }
  void run()
  return {
    [Symbol.dispose]() {
      closing.abort()
      child?.kill()
    },
  }
}
