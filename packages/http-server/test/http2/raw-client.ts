import { once } from 'node:events'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'

/** What tells frames apart: https://www.rfc-editor.org/rfc/rfc9113#section-6 */
export const frameTypes = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const

export const endStream = 1
const endHeaders = 4
const acknowledged = 1
const initialWindowSize = 4

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** An HTTP/2 client that says what it is told to, whether that is allowed or not. */
export class RawHttp2Client implements Disposable {
  readonly socket: TLSSocket
  readonly frames: Frame[] = []
  #rest: Buffer = Buffer.of()

  static async connect(port: number, ca: string): Promise<RawHttp2Client> {
    const socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['h2'] })
    await once(socket, 'secureConnect')
    const client = new RawHttp2Client(socket)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    client.send(frameTypes.settings, 0, 0)
    await client.received((frame) => frame.type === frameTypes.settings)
    client.send(frameTypes.settings, acknowledged, 0)
    return client
  }

  constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.of()): void {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head[3] = type
    head[4] = flags
    head.writeUInt32BE(stream, 5)
    this.socket.write(Buffer.concat([head, payload]))
  }

  /** Begins a request; its body follows unless `flags` has {@link endStream}. */
  request(
    stream: number,
    method: string,
    path: string,
    { flags = endStream, headers = [] }: RequestFacts = {},
  ): void {
    const fields = [
      [':method', method],
      [':path', path],
      [':scheme', 'https'],
      [':authority', 'localhost'],
      ...headers,
    ] as const
    this.send(frameTypes.headers, flags | endHeaders, stream, Buffer.concat(fields.map(literal)))
  }

  /** Lets so many bytes of each answer come before it says that it has taken them. Default: as many as there can be. */
  openWindows(bytes = 0x7fff_ffff): void {
    this.setWindows(bytes)
    this.openWindow(0, 0x7fff_0000)
  }

  /** The same without the window of the connection, which is of 65,535 bytes. */
  setWindows(bytes: number): void {
    const setting = Buffer.alloc(6)
    setting.writeUInt16BE(initialWindowSize)
    setting.writeUInt32BE(bytes, 2)
    this.send(frameTypes.settings, 0, 0, setting)
  }

  /** Lets so many more bytes of one answer come, or with 0 of all together. */
  openWindow(stream: number, bytes: number): void {
    const update = Buffer.alloc(4)
    update.writeUInt32BE(bytes)
    this.send(frameTypes.windowUpdate, 0, stream, update)
  }

  reset(stream: number, code: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32BE(code)
    this.send(frameTypes.reset, 0, stream, payload)
  }

  /** The first frame, of now or later, that `isWanted` accepts. */
  async received(isWanted: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const frame = this.frames.find(isWanted)
      if (frame !== undefined) return frame
      await once(this.socket, 'data')
    }
  }

  /** Resolves when so many bytes of all answers have come. */
  async taken(bytes: number): Promise<void> {
    const ofData = ({ type, payload }: Frame): number =>
      type === frameTypes.data ? payload.length : 0
    while (this.frames.reduce((sum, frame) => sum + ofData(frame), 0) < bytes) {
      await once(this.socket, 'data')
    }
  }

  /** The frame by which the server resets a request, when it has come. */
  resetOf(stream: number): Promise<Frame> {
    return this.received((frame) => frame.stream === stream && frame.type === frameTypes.reset)
  }

  /** The body of an answer, when it has come. */
  async answer(stream: number): Promise<string> {
    const isOfStream = (frame: Frame): boolean => frame.stream === stream
    await this.received((frame) => isOfStream(frame) && (frame.flags & endStream) !== 0)
    const data = this.frames.filter((frame) => isOfStream(frame) && frame.type === frameTypes.data)
    return Buffer.concat(data.map(({ payload }) => payload)).toString()
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  #take(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk])
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3)
      const [type = 0, flags = 0] = bytes.subarray(3)
      const stream = bytes.readUInt32BE(5)
      this.frames.push({ type, flags, stream, payload: bytes.subarray(9, end) })
      bytes = bytes.subarray(end)
    }
    this.#rest = bytes
  }
}

interface RequestFacts {
  readonly flags?: number
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

/** A field without compression: https://www.rfc-editor.org/rfc/rfc7541#section-6.2.2 */
function literal([name, value]: readonly [string, string]): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = [127]
  let left = bytes.length - 127
  for (; left >= 128; left >>= 7) length.push((left & 0x7f) | 0x80)
  return Buffer.concat([Buffer.of(...length, left), bytes])
}
