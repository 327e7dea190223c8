import { Refusal } from './refusal.ts'

/** Bodies that arrive in pieces at one time at most. What is held of each takes some 2 MiB, all together 512 MiB. */
export const maxUploads = 256

/** For so long, in milliseconds, a client may keep a place waiting in all before its pace is looked at. */
const patienceMs = 10_000

/** A body that has come slower than this, in bytes a second, gives way to another one. */
const slowBytesPerSecond = 16 * 1024

/** The place of one body. Knows how fast its client is: time that the body waits here for others does not count. */
export class UploadPlace {
  /** Rejects when it has to give way, and never resolves. */
  readonly givenUp: Promise<never>
  readonly giveUp: () => void
  readonly #now: () => number
  #bytes = 0
  #waitedMs = 0
  #waitingSince: number | undefined

  constructor(now: () => number) {
    const { promise, reject } = Promise.withResolvers<never>()
    this.#now = now
    this.givenUp = promise
    this.giveUp = () => reject(tooSlow())
  }

  /** The client is waited for from now on. */
  wait(): void {
    this.#waitingSince = this.#now()
  }

  /** It has sent so many bytes. */
  received(bytes: number): void {
    this.#waitedMs = this.waitedMs
    this.#waitingSince = undefined
    this.#bytes += bytes
  }

  get waitedMs(): number {
    const since = this.#waitingSince
    return this.#waitedMs + (since === undefined ? 0 : this.#now() - since)
  }

  get bytesPerSecond(): number {
    return (this.#bytes / this.waitedMs) * 1000
  }
}

/**
 * The places of bodies that arrive in pieces. Each may be held for as long as a request may take. So that few clients, who
 * send next to nothing, do not keep all others out, the slowest body gives way when a further one has come and none is free.
 */
export class UploadPlaces {
  readonly #maximum: number
  readonly #now: () => number
  readonly #taken = new Set<UploadPlace>()

  /** @param now A clock in milliseconds. Default: that of the process. */
  constructor(maximum: number, now: () => number = () => performance.now()) {
    this.#maximum = maximum
    this.#now = now
  }

  /** Whether {@link take} would give one. */
  get hasRoom(): boolean {
    return this.#taken.size < this.#maximum || this.#slowest() !== undefined
  }

  /** @returns `undefined` when all are taken by bodies that come fast enough */
  take(): UploadPlace | undefined {
    if (this.#taken.size >= this.#maximum) {
      const slowest = this.#slowest()
      if (slowest === undefined) return undefined
      this.leave(slowest)
      slowest.giveUp()
    }
    const place = new UploadPlace(this.#now)
    this.#taken.add(place)
    return place
  }

  leave(place: UploadPlace): void {
    this.#taken.delete(place)
  }

  #slowest(): UploadPlace | undefined {
    let slowest: UploadPlace | undefined
    let slowestPace = slowBytesPerSecond
    for (const place of this.#taken) {
      if (place.waitedMs < patienceMs || place.bytesPerSecond >= slowestPace) continue
      slowest = place
      slowestPace = place.bytesPerSecond
    }
    return slowest
  }
}

function tooSlow(): Refusal {
  return new Refusal(503, 'The server is busy: The body came too slowly', ['Retry-After', '1'])
}
