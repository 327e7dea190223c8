/** How a server is asked for a stream, and told of an event. */
export interface Dialect {
  readonly subscribe: (topic: string) => string
  /** Whether a stream begins with what is there. */
  readonly beginsWithValue: boolean
  /** Requests that may be carried out at the same time. */
  readonly publish: (topic: string, events: readonly number[]) => readonly string[]
}

export type DialectName = 'elkyn' | 'socket.write' | 'joined socket.write' | 'nchan'

/** About the length of an event on the wire, in bytes. */
const eventBytes = 200

/** What is found again in the bytes of an event. */
export function markerOf(event: number): string {
  return `#${String(event).padStart(9, '0')}#`
}

/** The text of an event, so long that with its frame it has {@link eventBytes}. */
function textOf(event: number, frameBytes: number): string {
  return markerOf(event).padEnd(eventBytes - frameBytes, 'x')
}

/** The frame of a plain server. */
export function plainFrame(event: number): string {
  return `data: ${textOf(event, 8)}\n\n`
}

const eventStream = 'Accept: text/event-stream\r\n'

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  elkyn: {
    subscribe: (topic) => request('GET', `/${topic}.json`, eventStream),
    beginsWithValue: true,
    // Name, path, id and so on take 76 bytes.
    publish: (topic, events) =>
      events.map((event) => post('PUT', `/${topic}.json?print=silent`, `"${textOf(event, 76)}"`)),
  },
  // Told of all at once, so that it has nothing to gather.
  'socket.write': {
    subscribe: (topic) => request('GET', `/${topic}`, eventStream),
    beginsWithValue: false,
    publish: (topic, events) => [post('POST', `/${topic}/${events[0]}/${events.length}`, '')],
  },
  'joined socket.write': {
    subscribe: (topic) => request('GET', `/${topic}`, eventStream),
    beginsWithValue: false,
    publish: (_topic, events) => [post('POST', `/joined/${events[0]}/${events.length}`, '')],
  },
  nchan: {
    subscribe: (topic) => request('GET', `/sub/${topic}`, eventStream),
    beginsWithValue: false,
    publish: (topic, events) =>
      events.map((event) => post('POST', `/pub/${topic}`, textOf(event, 30))),
  },
}

function request(method: string, path: string, fields: string): string {
  return `${method} ${path} HTTP/1.1\r\nHost: bench\r\n${fields}\r\n`
}

function post(method: string, path: string, body: string): string {
  return request(method, path, `Content-Length: ${body.length}\r\n`) + body
}
