import type { DecisiveHeaders } from '../message.ts'
import type { Parameters } from '../parameters.ts'

const eventStream = /^\s*text\/event-stream\s*(?:;|$)/i
const zeroQuality = /;\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)/i

/** Whether an `Accept` header asks for an event stream. That it takes anything is not enough. */
export function acceptsStream(accept: DecisiveHeaders['accept']): boolean {
  if (accept === undefined) return false
  return String(accept)
    .split(',')
    .some((type) => eventStream.test(type) && !zeroQuality.test(type))
}

/** The event that a client goes on behind; `undefined` where it begins anew. The header counts before the parameter. */
export function lastEventIdOf(
  headers: DecisiveHeaders,
  parameters: Parameters,
): string | undefined {
  const id = headers['last-event-id'] ?? parameters.get('lastEventId')
  return id === undefined || id === '' ? undefined : String(id)
}

/** The last part of a path that asks for the whole value each time. */
export const watchSuffix = '/.watch'

/** The path of streams with many subscriptions. */
export const streamsPath = '/.streams'

/**
 * Whether a request may be one that the streams answer, so that it is worth a closer look. The rest of
 * the server never sees those.
 */
export function mayBeStream(url: string, headers: DecisiveHeaders): boolean {
  const { accept } = headers
  return (
    (accept !== undefined && String(accept).toLowerCase().includes('text/event-stream')) ||
    url.includes(watchSuffix) ||
    url.includes(streamsPath)
  )
}
