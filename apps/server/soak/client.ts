import { setTimeout } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Findings } from './findings.ts'

export interface Answer {
  readonly status: number
  readonly text: string
  readonly etag: string | undefined
}

export interface Sent {
  readonly method: 'DELETE' | 'GET' | 'PATCH' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What has become of a write. */
export type Outcome = 'applied' | 'refused' | 'unknown'

// How long a client rests before it asks a server again that is not there, or busy.
const restMs = 20

/** A client as programs have one, which keeps its connections. */
export class Client {
  readonly url: string
  readonly #agent = new Agent({ connections: 4, headersTimeout: 120_000, bodyTimeout: 120_000 })
  readonly #findings: Findings

  constructor(url: string, findings: Findings) {
    this.url = url
    this.#findings = findings
  }

  /** One try. `undefined` when the connection was lost. */
  async try({ method, path, body, headers = {} }: Sent): Promise<Answer | undefined> {
    try {
      const dispatcher = this.#agent
      const options = { method, headers, dispatcher, ...(body === undefined ? {} : { body }) }
      const {
        statusCode: status,
        headers: got,
        body: stream,
      } = await request(this.url + path, options)
      const text = await stream.text()
      return { status, text, etag: got['etag'] === undefined ? undefined : String(got['etag']) }
    } catch {
      this.#findings.count('connections lost')
      await setTimeout(restMs)
      return undefined
    }
  }

  /** A read, as often as it takes. */
  async read(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    for (;;) {
      const answer = await this.try({ method: 'GET', path, headers })
      if (answer !== undefined && answer.status < 500) return answer
      if (answer !== undefined) await this.#refused(answer)
    }
  }

  /** A write that may be carried out more than once, as often as it takes. */
  async writeUntilDone(sent: Sent): Promise<Answer> {
    for (;;) {
      const answer = await this.try(sent)
      if (answer !== undefined && answer.status < 500) return answer
      if (answer !== undefined) await this.#refused(answer)
    }
  }

  /** Notes an answer in 500s, and rests. */
  async #refused({ status, text }: Answer): Promise<void> {
    this.#findings.count(`answered ${status}: ${messageOf(text)}`)
    await setTimeout(restMs)
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

/** What an answer says about the write that it answers. */
export function outcomeOf(answer: Answer | undefined): Outcome {
  if (answer === undefined) return 'unknown'
  const { status, text } = answer
  if (status < 300) return 'applied'
  if (status === 500 && text.includes('The data was written')) return 'applied'
  return text.includes('outcome of the write is unknown') ? 'unknown' : 'refused'
}

/** The text of an error. */
export function messageOf(text: string): string {
  return /"error"\s*:\s*"([^"]*)"/.exec(text)?.[1] ?? text.slice(0, 80)
}
