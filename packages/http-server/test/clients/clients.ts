import { spawn } from 'node:child_process'
import process from 'node:process'
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

// A small process, since one that has as much memory as this one takes longer to start a program than that runs.
const curlLoop = `
  while IFS= read -r id; do
    curl -sN -H 'Accept: text/event-stream' \${id:+-H "Last-Event-ID: $id"} "$1"
    printf '\\0'
  done`

/** `curl -N` in a loop of a shell, to which the id of the last event is handed over. */
export function curlClient(url: string, onPut: (data: string) => void): Disposable {
  // A group of its own, which ends as one.
  const child = spawn('sh', ['-c', curlLoop, 'sh', url], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  let lastEventId = ''
  let rest = ''
  child.stdin.on('error', () => {})
  child.stdin.write('\n')
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const [index, answer] of text.split('\0').entries()) {
      // The one before has ended, and what it has begun does not count.
      if (index > 0) {
        rest = ''
        child.stdin.write(`${lastEventId}\n`)
      }
      const blocks = (rest + answer).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        lastEventId = /^id: (.*)$/m.exec(block)?.[1] ?? lastEventId
        const data = /^event: put\ndata: (.*)$/m.exec(block)?.[1]
        if (data !== undefined) onPut(data)
      }
    }
  })
  return {
    [Symbol.dispose]() {
      child.stdout.removeAllListeners('data')
      if (child.pid !== undefined) process.kill(-child.pid)
    },
  }
}
