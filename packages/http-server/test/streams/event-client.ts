import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'

export interface ReceivedEvent {
  readonly event: string
  readonly data: string
  /** What the client would send to go on. */
  readonly lastEventId: string
}

export interface EventClientOptions {
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Reads an event stream, and does nothing else with it. */
export class EventClient implements AsyncDisposable {
  readonly message: IncomingMessage
  /** Events that nobody has taken. */
  readonly events: ReceivedEvent[] = []
  /** Comments and retry times. */
  readonly others: string[] = []
  lastEventId = ''
  /** All bytes, where they were asked for. */
  text = ''
  isEnded = false
  #rest = ''
  #lastUnit = ''
  #wake: () => void = () => {}

  static async open(
    url: string,
    { method = 'GET', body, headers = {} }: EventClientOptions = {},
  ): Promise<EventClient> {
    const asked = request(url, {
      method,
      agent: false,
      headers: { accept: 'text/event-stream', ...headers },
    })
    asked.on('error', () => {})
    asked.end(body)
    const [message] = (await once(asked, 'response')) as [IncomingMessage]
    return new EventClient(message)
  }

  constructor(message: IncomingMessage) {
    this.message = message
    message.setEncoding('utf8')
    message.on('error', () => {})
    message.on('data', (text: string) => this.#take(text))
    message.on('close', () => {
      this.isEnded = true
      this.#wake()
    })
  }

  get status(): number | undefined {
    return this.message.statusCode
  }

  /** The next event that is no keep-alive. @throws {Error} at the end of the stream. */
  async next(): Promise<ReceivedEvent> {
    for (;;) {
      const event = this.events.shift()
      if (event !== undefined && event.event !== 'keep-alive') return event
      if (event !== undefined) continue
      if (this.isEnded) throw new Error('The stream has ended')
      await this.arrival()
    }
  }

  /** The next events as `name data`. */
  async take(count: number): Promise<string[]> {
    const taken: string[] = []
    while (taken.length < count) {
      const { event, data } = await this.next()
      taken.push(`${event} ${data}`)
    }
    return taken
  }

  /** Resolves when something has come, or the stream has ended. */
  async arrival(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  async ended(): Promise<void> {
    while (!this.isEnded) await this.arrival()
  }

  /** Breaks the connection off. */
  cut(): void {
    this.message.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
  }

  #take(text: string): void {
    this.text += text
    this.#rest += text
    // Looked for in what has come only, lest a long event be searched again with each piece of it.
    const hasEnd = `${this.#lastUnit}${text}`.includes('\n\n')
    this.#lastUnit = text.slice(-1)
    if (hasEnd) this.#takeBlocks()
    this.#wake()
  }

  #takeBlocks(): void {
    for (;;) {
      const end = this.#rest.indexOf('\n\n')
      if (end === -1) return
      this.#takeBlock(this.#rest.slice(0, end))
      this.#rest = this.#rest.slice(end + 2)
    }
  }

  #takeBlock(block: string): void {
    let event = 'message'
    const data: string[] = []
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
      if (name === 'event') event = value
      else if (name === 'data') data.push(value)
      else if (name === 'id') this.lastEventId = value
      else this.others.push(line)
    }
    if (data.length > 0) {
      this.events.push({ event, data: data.join('\n'), lastEventId: this.lastEventId })
    }
  }
}
