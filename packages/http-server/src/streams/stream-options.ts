import { maxTimerMs } from '../limits.ts'
import type { HttpLimits } from '../limits.ts'

/** What streams may take of the server. */
export interface StreamOptions {
  /** Streams at one time. A further one is answered 503. Default: 10000. */
  readonly maxStreams?: number
  /**
   * Streams of one client address at one time. A further one is answered 503. Behind a proxy all clients have
   * the address of that. Default: 10000.
   */
  readonly maxStreamsPerAddress?: number
  /** Subscriptions of one stream. What is beyond is refused. Default: 1000. */
  readonly maxSubscriptions?: number
  /**
   * Subscriptions of all streams together, each of which takes some 2 KB, and those of queries their keys as well
   * (`maxQueryKeyBytes`). A stream of one place is one, and is not refused for it; a request for further ones of a stream
   * with many is answered 503. Default: 100000.
   */
  readonly maxTotalSubscriptions?: number
  /**
   * UTF-16 units that the URLs and ids of all subscriptions of streams with many have together: all of it is held. A request for more
   * is answered 503. Default: 67108864 (64 Mi, which take some 128 MiB).
   */
  readonly maxTotalUrlLength?: number
  /**
   * Bytes that may wait for a client that is slower than what happens. Beyond them its events are replaced by
   * one whole value, once it has taken these. Default: 1048576 (1 MiB).
   */
  readonly maxPendingBytes?: number
  /**
   * Bytes that may wait for all clients together, besides what the buffers of streams and connections take, some 64 KiB for each. Beyond them
   * nothing is added for whom something waits, and nobody is sent a value or what it missed, but for four whose turn has come, before others have
   * taken theirs, or are disconnected, as they are then if that takes them longer than `writeTimeoutMs`. Events are sent to all for whom nothing
   * waits. Default: 268435456 (256 MiB).
   */
  readonly maxTotalPendingBytes?: number
  /**
   * Bytes of events that may wait for the server to send them, of all streams together: one write may concern many places.
   * What is beyond is read from the change log instead. Default: 67108864 (64 MiB).
   */
  readonly maxUnsentBytes?: number
  /**
   * Bytes of keys that are kept, of all results of queries that are watched together, to tell what has changed in them. Who
   * watches a result whose keys have no room is told the whole of it at each change. Default: 67108864 (64 MiB).
   */
  readonly maxQueryKeyBytes?: number
  /**
   * Bytes of the newest events that are kept in memory, in which clients that come back find what they
   * missed without anything being read. What is not among them is in the change log. 0: none. Default: 16777216 (16 MiB).
   */
  readonly recentBytes?: number
  /**
   * How long the events of what nobody watches any more are still kept among the newest ones, for clients that have only
   * lost their connection, in milliseconds. 0: not at all. Default: 60000.
   */
  readonly lingerMs?: number
  /**
   * Time between two keep-alives, in milliseconds. At one of them a client is disconnected that has taken nothing
   * of what waits for it since another, and for `writeTimeoutMs`. Default: 30000.
   */
  readonly keepAliveMs?: number
  /**
   * When the server stops, its clients are told to come back after a second and some moment within so many milliseconds,
   * not all at once. An `EventSource` goes on to wait as long after whatever failure. Default: 5000.
   */
  readonly reconnectWindowMs?: number
}

/** The same with what streams keep of the limits of all answers. */
export interface StreamLimits
  extends Required<StreamOptions>, Pick<Required<HttpLimits>, 'writeTimeoutMs'> {}

const defaults: Required<StreamOptions> = {
  maxStreams: 10_000,
  maxStreamsPerAddress: 10_000,
  maxSubscriptions: 1000,
  maxTotalSubscriptions: 100_000,
  maxTotalUrlLength: 64 * 1024 * 1024,
  maxPendingBytes: 1024 * 1024,
  maxTotalPendingBytes: 256 * 1024 * 1024,
  maxUnsentBytes: 64 * 1024 * 1024,
  maxQueryKeyBytes: 64 * 1024 * 1024,
  recentBytes: 16 * 1024 * 1024,
  lingerMs: 60_000,
  keepAliveMs: 30_000,
  reconnectWindowMs: 5000,
}

/** Options that may be 0. */
const mayBeNone: ReadonlySet<keyof StreamOptions> = new Set([
  'maxQueryKeyBytes',
  'recentBytes',
  'lingerMs',
])

/** @throws {RangeError} for an option that is not a positive integer, or 0 where that means none, or no time that a timer takes. */
export function resolveStreamOptions(
  given: StreamOptions,
  { writeTimeoutMs }: Required<HttpLimits>,
): StreamLimits {
  const options = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof StreamOptions)[]) {
    const value = given[name] ?? defaults[name]
    const maximum = name.endsWith('Ms') ? maxTimerMs : Number.MAX_SAFE_INTEGER
    const minimum = mayBeNone.has(name) ? 0 : 1
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw new RangeError(
        `Invalid streams.${name} ${value}: It has to be an integer from ${minimum} to ${maximum}`,
      )
    }
    options[name] = value
  }
  return { ...options, writeTimeoutMs }
}
