/** What clients may take of the server. Each limit has a default. */
export interface HttpLimits {
  /**
   * Largest request body, in bytes. A larger one is answered 413, before it is read where it says
   * its length. Default: 268435456 (256 MiB).
   */
  readonly maxBodyBytes?: number
  /**
   * Most members of a `PATCH` and server values, together, of a body of more than 64 KiB: each takes memory until all are
   * written in one go (100,000: 60 MB and half a second). A member that is held, as texts are and
   * what takes less than 64 KiB of memory, counts as one more for each 1,000 bytes of that: no body has more than 100 MB of such members, which are some 28 MB
   * of JSON as records of less than 18 kB. More are answered 413, and 503 where all bodies that come at one time have ten times as many. Default: 100000.
   */
  readonly maxHeldValues?: number
  /**
   * Bytes of small bodies, of up to 64 KiB, and of bodies of `/.streams`, that have come of all clients and wait for their ends. Beyond that the one that
   * began first is answered 503. Default: 67108864 (64 MiB).
   */
  readonly maxArrivingBytes?: number
  /**
   * Longest path and query of a request, in bytes as they were sent. Longer ones are answered 414.
   * Default: 81920, enough for every path that a tree can have.
   */
  readonly maxUrlBytes?: number
  /**
   * Largest head of a request, with URL and all header fields, in bytes. A larger one is answered
   * 431. Default: 98304.
   */
  readonly maxHeaderBytes?: number
  /** Connections at one time. A further one is answered 503 and closed. Default: 10000. */
  readonly maxConnections?: number
  /**
   * Requests at one time on one connection of HTTP/2, streams included. A client waits with a further
   * one; one that doesn't is refused. Default: 250.
   */
  readonly maxConcurrentStreams?: number
  /**
   * Answers at one time that are sent in blocks, because they don't fit one, or take in more than one for their ETag or
   * their size, and hold a snapshot of the store meanwhile. A further one is answered 503, small ones go on. An eighth of
   * them may be on one connection of HTTP/2, where reads wait beyond that. A store has to have room for as many snapshots
   * and some more. Default: 128.
   */
  readonly maxStreamedAnswers?: number
  /**
   * Largest answer to a read, in bytes. A larger one is answered 400, after it was read through once:
   * a limit makes each answer that does not fit one block be read twice. Holds for the whole value of a stream, too, which
   * is answered 400 where it would begin with that, and ended with `cancel` later on. Default: no limit.
   */
  readonly maxAnswerBytes?: number
  /**
   * How long the head of a request may take, from its first byte or from the beginning of the
   * connection. Then it is answered 408. Default: 20000.
   */
  readonly headersTimeoutMs?: number
  /** How long a whole request may take to arrive. Then it is answered 408. Default: 300000. */
  readonly requestTimeoutMs?: number
  /**
   * How long a connection may rest between requests before it is closed. A proxy in front should
   * close its connections earlier. Default: 65000.
   */
  readonly keepAliveTimeoutMs?: number
  /**
   * How long a client may take in nothing of an answer that waits for it, whatever it sends. Then, or in
   * twice that time at the latest, its connection is destroyed; with HTTP/2 the request is reset,
   * and the connection destroyed where in that time again not even the reset could leave. A request of HTTP/2
   * whose own window is not closed, and which waits behind others, is spared while 64 KiB of those are taken in that
   * time. The system's buffer takes some megabytes and says that there is room again when a third of it is: in 30 seconds a
   * client with 20 kB a second would seem to take nothing. Default: 60000.
   */
  readonly writeTimeoutMs?: number
}

const defaults: Required<HttpLimits> = {
  maxBodyBytes: 256 * 1024 * 1024,
  maxHeldValues: 100_000,
  maxArrivingBytes: 64 * 1024 * 1024,
  maxUrlBytes: 80 * 1024,
  maxHeaderBytes: 96 * 1024,
  maxConnections: 10_000,
  maxConcurrentStreams: 250,
  maxStreamedAnswers: 128,
  maxAnswerBytes: Infinity,
  headersTimeoutMs: 20_000,
  requestTimeoutMs: 300_000,
  keepAliveTimeoutMs: 65_000,
  writeTimeoutMs: 60_000,
}

/** The longest time that a timer of Node takes. It makes a millisecond of a longer one. */
export const maxTimerMs = 0x7fff_ffff

/** What a setting of HTTP/2 holds: https://www.rfc-editor.org/rfc/rfc9113#section-6.5.1 */
const maxSetting = 2 ** 32 - 1

// Node answers nothing when a head of HTTP/2 is larger than the announced limit. So a larger one is announced, and
// what lies between the two is answered 431.
export const headerGraceBytes: number = 64 * 1024

const maxima: Partial<Record<keyof HttpLimits, number>> = {
  maxConcurrentStreams: maxSetting,
  maxHeaderBytes: maxSetting - headerGraceBytes,
}

/** @throws {RangeError} for a limit that is not a positive integer, or no time that a timer takes. */
export function resolveLimits(given: HttpLimits): Required<HttpLimits> {
  const limits = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof HttpLimits)[]) {
    const value = given[name] ?? defaults[name]
    const maximum = maxima[name] ?? (name.endsWith('Ms') ? maxTimerMs : Number.MAX_SAFE_INTEGER)
    if (value === defaults[name]) continue
    if (!Number.isInteger(value) || value < 1 || value > maximum) {
      throw new RangeError(`Invalid ${name} ${value}: It has to be an integer from 1 to ${maximum}`)
    }
    limits[name] = value
  }
  return limits
}
