import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

interface StreamedEvent {
  readonly event: string
  readonly data: string
  readonly id: string
}

/** A stream of events, or what was answered instead. Disposing closes the connection. */
export class EventStream implements Disposable {
  readonly #message: IncomingMessage

  static async open(url: string, lastEventId?: string): Promise<EventStream> {
    const accept = { accept: 'text/event-stream' }
    const headers = lastEventId === undefined ? accept : { ...accept, 'last-event-id': lastEventId }
    const asked = request(url, { agent: false, headers })
    asked.end()
    const [message] = (await once(asked, 'response')) as [IncomingMessage]
    // It breaks off when a test is done with it, or its server is killed.
    message.on('error', () => {})
    return new EventStream(message)
  }

  private constructor(message: IncomingMessage) {
    this.#message = message
  }

  get status(): number | undefined {
    return this.#message.statusCode
  }

  /** All that was answered. */
  async text(): Promise<string> {
    return text(this.#message)
  }

  /** Waits for the first event, or for the first of that name. To be called once. */
  async first(name?: string): Promise<StreamedEvent> {
    let fields: Record<string, string> = {}
    for await (const line of createInterface({ input: this.#message })) {
      const [, field = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
      if (line !== '') fields[field] = value
      else if (name === undefined || fields['event'] === name) break
      else fields = {}
    }
    const { event = '', data = '', id = '' } = fields
    return { event, data, id }
  }

  [Symbol.dispose](): void {
    this.#message.destroy()
  }
}
