import type { Log } from './log.ts'
import type { RequestMeter } from './metrics-meter.ts'

/** One client's connection, in whichever version of HTTP. */
export interface ClientConnection {
  /** Calls `listener` once when the connection has gone. */
  onGone(listener: () => void): void
  /** How many requests never had an answer. Counts each once. */
  takeUnanswered(): number
  /** Closes the connection when what was asked has been answered. */
  closeWhenIdle(): void
  /** Closes it at once. */
  destroy(): void
}

/** The connections of a listener. */
export class ClientConnections {
  readonly #open = new Set<ClientConnection>()
  /** How many of them are only being told that there are too many. */
  #refused = 0
  readonly #maximum: number
  readonly #log: Log
  readonly #meter: RequestMeter | undefined

  constructor(maximum: number, log: Log, meter: RequestMeter | undefined) {
    this.#maximum = maximum
    this.#log = log
    this.#meter = meter
  }

  /** Counts a connection until it has gone. @returns whether it is one too many, and has to be told so. */
  add(connection: ClientConnection): boolean {
    this.#open.add(connection)
    connection.onGone(() => this.#open.delete(connection))
    this.#count(connection)
    if (this.#open.size - this.#refused <= this.#maximum) return false
    this.#refused++
    connection.onGone(() => this.#refused--)
    this.#log.warn(
      { maxConnections: this.#maximum },
      'A connection was refused, because there are too many',
    )
    return true
  }

  closeWhenIdle(): void {
    for (const connection of this.#open) connection.closeWhenIdle()
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy()
  }

  #count(connection: ClientConnection): void {
    const meter = this.#meter
    if (meter === undefined) return
    meter.connections++
    connection.onGone(() => meter.gone(connection.takeUnanswered()))
  }
}
