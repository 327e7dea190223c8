import process from 'node:process'
import type { LogLevel } from './serve-options.ts'
import type { StopSignal } from './signals.ts'

/*
 * What a supervising process and its server tell each other. The first part is in a variable of the
 * environment, because it is needed before the first message could be read.
 */

/** Name of the variable that makes a process a supervised server; JSON of {@link StartFacts}. */
export const supervisionVariable = 'ELKYN_SUPERVISION'

/** What a server is told when it is started. */
export interface StartFacts {
  /** How often the server was started before. */
  readonly restarts: number
  /** Where it listened then. A port that was chosen freely has to stay what clients know. */
  readonly port?: number
}

/** What a server says when it listens. */
export interface ListeningFacts {
  readonly port: number
  readonly logLevel: LogLevel
}

/** What a supervisor says when it was asked to stop. */
export interface StopOrder {
  readonly stop: StopSignal
}

/** The process that started this one and starts it again, as the server sees it. */
export class Supervisor implements Disposable {
  readonly facts: StartFacts
  readonly #onMessage: (message: StopOrder) => void
  readonly #onGone: () => void

  /**
   * @param onStop Called when the supervisor was asked to stop.
   * @param onGone Called when it has ended without saying anything.
   */
  constructor(facts: StartFacts, onStop: (signal: StopSignal) => void, onGone: () => void) {
    this.facts = facts
    this.#onMessage = ({ stop }) => onStop(stop)
    this.#onGone = onGone
    process.on('message', this.#onMessage)
    process.on('disconnect', this.#onGone)
    // To listen to it is no reason to live. A channel that is there no more has ended unheard.
    if (process.connected) process.channel?.unref()
    else queueMicrotask(onGone)
  }

  /** Says that the server listens. */
  listening(facts: ListeningFacts): void {
    // What cannot be sent is of no use to anybody: `disconnect` tells why.
    process.send?.(facts, () => {})
  }

  [Symbol.dispose](): void {
    process.off('message', this.#onMessage)
    process.off('disconnect', this.#onGone)
  }
}

/** Whether this process was started by a supervisor, and what it was told; `undefined` if not. */
export function startFacts(): StartFacts | undefined {
  const text = process.env[supervisionVariable]
  return text === undefined || process.send === undefined
    ? undefined
    : (JSON.parse(text) as StartFacts)
}
