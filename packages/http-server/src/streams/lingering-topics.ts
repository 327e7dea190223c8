import type { Timers } from './timers.ts'
import type { Frame, Position, Topic } from './topic.ts'

export interface LingerOptions {
  /** Milliseconds. 0: none lingers. */
  readonly lingerMs: number
  readonly maxLingering: number
}

/**
 * Topics that nobody watches any more, for a while: who watched them may only have lost the connection. What happens there
 * is framed and kept meanwhile as if somebody was sent it, so that who comes back has it from memory, and
 * nobody has to look for it among all that happened elsewhere.
 */
export class LingeringTopics {
  readonly #options: LingerOptions
  readonly #timers: Timers
  readonly #onEnd: (topic: Topic) => void
  /** And when their time is over, the oldest one first. */
  readonly #topics = new Map<Topic, number>()
  #isTimed = false

  /** @param onEnd Called when nobody is expected to come back to a topic any more. */
  constructor(options: LingerOptions, timers: Timers, onEnd: (topic: Topic) => void) {
    this.#options = options
    this.#timers = timers
    this.#onEnd = onEnd
  }

  /**
   * Begins when the last one has gone who was up to date.
   * @param last What that one was sent.
   */
  add(topic: Topic, last: Position): void {
    const { lingerMs, maxLingering } = this.#options
    const { batch } = topic
    // What is being sent is kept already, unless some of it has to be read.
    if (lingerMs === 0 || (batch !== undefined && batch.bytes === undefined)) return
    const { sequence, id } = batch === undefined ? last : (batch.frames.at(-1) as Frame)
    topic.absent = { sequence, id }
    this.#topics.delete(topic)
    this.#topics.set(topic, performance.now() + lingerMs)
    if (this.#topics.size > maxLingering) this.#endOldest()
    this.#time()
  }

  /** Ends it for a topic: somebody is there who is up to date, or what was missed is not in memory. */
  delete(topic: Topic): void {
    if (this.#topics.delete(topic)) this.#onEnd(topic)
  }

  /** Ends it for all. */
  end(): void {
    for (const topic of this.#topics.keys()) this.delete(topic)
  }

  #endOldest(): void {
    for (const topic of this.#topics.keys()) {
      this.delete(topic)
      return
    }
  }

  #time(): void {
    if (this.#isTimed) return
    for (const end of this.#topics.values()) {
      this.#isTimed = true
      this.#timers.later(Math.max(end - performance.now(), 1), () => this.#check())
      return
    }
  }

  #check(): void {
    this.#isTimed = false
    const now = performance.now()
    for (const [topic, end] of this.#topics) {
      if (end > now) break
      this.delete(topic)
    }
    this.#time()
  }
}
