import { Refusal } from '../refusal.ts'

/** What a client says of one subscription. */
export interface SubscriptionRequest {
  /** Path and query of a `GET`. */
  readonly url: string
  /** Behind which event it goes on; with an empty one it begins anew. Default: as the stream does. */
  readonly lastEventId?: string | undefined
}

/** Subscriptions by the names that the client gives them; `null` ends one. */
export type SubscriptionRequests = ReadonlyMap<string, SubscriptionRequest | null>

/** Longest name of a subscription, in UTF-16 units. */
const maxNameLength = 256

/** @throws {Refusal} 400 for what is no object of subscriptions. */
export function parseSubscriptionRequests(body: Uint8Array): SubscriptionRequests {
  const json = parseObject(Buffer.from(body.buffer, body.byteOffset, body.length).toString())
  const requests = new Map<string, SubscriptionRequest | null>()
  for (const [name, value] of Object.entries(json)) {
    if (name.length > maxNameLength) {
      throw new Refusal(400, `Invalid subscription: Its name is longer than ${maxNameLength}`)
    }
    requests.set(name, value === null ? null : parseRequest(name, value))
  }
  return requests
}

function parseObject(text: string): object {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json
  throw new Refusal(400, 'Invalid subscriptions: They have to be a JSON object')
}

function parseRequest(name: string, value: unknown): SubscriptionRequest {
  if (typeof value === 'string') return { url: value }
  if (typeof value === 'object' && value !== null && 'url' in value) {
    const { url, lastEventId } = value as { url: unknown; lastEventId?: unknown }
    const hasId = typeof lastEventId === 'string' || lastEventId === undefined
    if (typeof url === 'string' && hasId) return { url, lastEventId }
  }
  throw new Refusal(
    400,
    `Invalid subscription ${JSON.stringify(name)}: It has to be a URL path, or {"url", "lastEventId"}`,
  )
}
