import type { Known } from './stream-job.ts'
import type { Topic } from './topic.ts'

/**
 * Keeps what is known of topics that are evaluated, and no more keys than so many bytes of all of them: the result of a
 * query may have a million, and each query has its own.
 */
export class KnownKeys {
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Keeps what is known now, without its keys where there is no room for them. */
  keep(topic: Topic, known: Known | undefined): void {
    this.forget(topic)
    const bytes = bytesOf(known)
    const fits = this.#bytes + bytes <= this.#maxBytes
    topic.known = fits ? known : { ...known, keys: undefined }
    if (fits) this.#bytes += bytes
  }

  /** Forgets what is known of a topic. */
  forget(topic: Topic): void {
    this.#bytes -= bytesOf(topic.known)
    topic.known = undefined
  }
}

function bytesOf(known: Known | undefined): number {
  return known?.keys?.length ?? 0
}
