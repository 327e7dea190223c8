import type { Change } from '@elkyn/tree'
import type { Log } from '../log.ts'
import type { StreamSource } from './stream-source.ts'
import type { Timers } from './timers.ts'

/** How long to wait before it is tried again to listen, in milliseconds. */
const retryDelayMs = 250

export interface ChangeListenerEvents {
  /** It has begun: what changes from now on is heard of. */
  onBegin(): void
  onChanges(changes: readonly Change[]): void
  /** It has ended by itself, and nobody knows what happened since. */
  onLost(): void
}

/** Listens to the changes of a source as long as somebody wants to hear of them. */
export class ChangeListener {
  readonly #source: StreamSource
  readonly #timers: Timers
  readonly #log: Log
  readonly #events: ChangeListenerEvents
  #state: 'idle' | 'starting' | 'listening' | 'closed' = 'idle'
  #stopListening: (() => void) | undefined
  /** Counts the times that it began: what comes of an earlier one is not looked at. */
  #round = 0

  constructor(source: StreamSource, timers: Timers, log: Log, events: ChangeListenerEvents) {
    this.#source = source
    this.#timers = timers
    this.#log = log
    this.#events = events
  }

  get state(): 'idle' | 'starting' | 'listening' | 'closed' {
    return this.#state
  }

  /** Another number each time that it begins or ends: with the same one, nothing was missed in between. */
  get round(): number {
    return this.#round
  }

  /** Begins, unless it has. Asks the source at the end of this turn: what else there is to ask goes first. */
  listen(): void {
    if (this.#state !== 'idle') return
    this.#state = 'starting'
    const round = ++this.#round
    queueMicrotask(() => void this.#begin(round))
  }

  stop(): void {
    if (this.#state !== 'closed') this.#state = 'idle'
    this.#round++
    this.#stopListening?.()
    this.#stopListening = undefined
  }

  /** Ends it for good. */
  close(): void {
    this.stop()
    this.#state = 'closed'
  }

  async #begin(round: number): Promise<void> {
    const ifCurrent = (work: () => void): void => {
      if (this.#round === round) work()
    }
    if (this.#round !== round) return
    try {
      const stop = await this.#source.listen(
        (changes) => ifCurrent(() => this.#events.onChanges(changes)),
        () => ifCurrent(() => this.#events.onLost()),
      )
      if (this.#round !== round) {
        stop()
        return
      }
      this.#state = 'listening'
      this.#stopListening = stop
      this.#events.onBegin()
    } catch (error) {
      ifCurrent(() => {
        this.#log.error({ err: error }, 'Changes cannot be followed: it is tried again')
        this.#timers.later(retryDelayMs, () => ifCurrent(() => this.#events.onLost()))
      })
    }
  }
}
