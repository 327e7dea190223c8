import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { markerOf } from './dialect.ts'
import type { Elapsed } from './stream-load-process.ts'

// What a socket delivers goes there, one after the other: so reading costs less than sending does.
const shared = Buffer.alloc(256 * 1024)
const markerLength = markerOf(0).length
const openedAtOnce = 200

/** Clients that count what they are sent. The last one looks at it too. */
export class Readers {
  readonly #sockets: Socket[] = []
  /** Bytes of each. */
  readonly #received: number[] = []
  bytes = 0
  #marks = 0
  #arrivals: { readonly first: number; readonly times: number[][] } | undefined
  /** What the last one was sent that may be the beginning of a marker. */
  #rest = ''
  /** Events that the last one has had, and those that were waited for. */
  #seen = 0
  #awaited = 0
  #wake: (() => void) | undefined

  /** Events that came to all together. */
  get events(): number {
    return Math.floor(this.#marks / 2)
  }

  get count(): number {
    return this.#sockets.length
  }

  /** Resolves when each of the streams has begun, with `first` in what is sent. */
  async open(port: number, requests: readonly string[], first: string): Promise<void> {
    for (let start = 0; start < requests.length; start += openedAtOnce) {
      const group = requests.slice(start, start + openedAtOnce)
      await Promise.all(group.map((request) => this.#open(port, request, first)))
    }
    await this.allAreLevel()
    this.#awaited = this.#seen
    this.#marks = 0
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Resolves when the last reader has had so many events more than the last time. */
  async lastHasAll(count: number): Promise<void> {
    this.#awaited += count
    while (this.#seen < this.#awaited) await this.#more()
    assert.equal(this.#seen, this.#awaited, 'Each event has to come once')
  }

  /** Resolves when so many events have come in all. */
  async eventsReached(count: number): Promise<void> {
    while (this.events < count) await this.#more()
  }

  /** Resolves when all have as many bytes as the one that has most, for readers of the same topic. */
  async allAreLevel(): Promise<void> {
    for (let turn = 0; ; turn++) {
      const most = this.#received.reduce((a, b) => Math.max(a, b), 0)
      const least = this.#received.reduce((a, b) => Math.min(a, b), Infinity)
      // Streams on topics of their own begin with values of the same length.
      if (most - least < 64) return
      assert.ok(turn < 1_000_000, `One reader has ${least} bytes and another ${most}`)
      await setImmediate()
    }
  }

  /** When each of the events from `first` on comes to each reader. */
  recordArrivals(first: number, count: number): readonly (readonly number[])[] {
    const times: number[][] = Array.from({ length: count }, () => [])
    this.#arrivals = { first, times }
    return times
  }

  /** Reads one answer up to the text `end`, or to its end, and says how long that took. */
  static async readOne(port: number, request: string, end: string): Promise<Elapsed> {
    const begin = performance.now()
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.write(request)
    let bytes = 0
    let tail = ''
    for await (const chunk of socket) {
      bytes += (chunk as Buffer).length
      if (end === '') continue
      tail = (tail + String((chunk as Buffer).subarray(-400))).slice(-400)
      if (tail.includes(end)) break
    }
    return { elapsedMs: performance.now() - begin, bytes }
  }

  #open(port: number, request: string, first: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const index = this.#received.push(0) - 1
    let hasBegun = false
    const socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: shared,
        callback: (length: number) => {
          if (!hasBegun && shared.toString('latin1', 0, length).includes(first)) {
            hasBegun = true
            resolve()
          }
          this.#received[index]! += length
          this.bytes += length
          this.#look(index, length)
          return true
        },
      },
    })
    socket.on('error', reject)
    socket.write(request)
    this.#sockets.push(socket)
    return promise
  }

  #look(index: number, length: number): void {
    // Two in each marker.
    let mark = shared.indexOf('#')
    for (; mark !== -1 && mark < length; mark = shared.indexOf('#', mark + 1)) {
      this.#marks++
      if (this.#arrivals !== undefined && this.#marks % 2 === 1) this.#note(mark)
    }
    if (index === this.#sockets.length - 1) this.#count(shared.toString('latin1', 0, length))
    this.#wake?.()
  }

  /** Where events come one at a time, each comes in one piece. */
  #note(mark: number): void {
    const event = Number(shared.toString('latin1', mark + 1, mark + markerLength - 1))
    this.#arrivals!.times[event - this.#arrivals!.first]?.push(performance.now())
  }

  #count(text: string): void {
    const all = this.#rest + text
    let end = 0
    for (const { 0: marker, index } of all.matchAll(/#\d{9}#/g)) {
      end = index + marker.length
      this.#seen++
    }
    // One may be cut in the middle.
    this.#rest = all.slice(Math.max(end, all.length - markerLength + 1))
  }

  async #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
  }
}
