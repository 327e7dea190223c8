import { randomBytes } from 'node:crypto'
import { failureResponse } from '../failure.ts'
import type { OutgoingStream } from '../exchange.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpResponse } from '../message.ts'
import type { StreamPlan } from '../plan.ts'
import { Refusal } from '../refusal.ts'
import { errorResponse, jsonResponse } from '../response.ts'
import { Broadcaster } from './broadcaster.ts'
import { eventBlock } from './event-frame.ts'
import { StreamClient } from './stream-client.ts'
import { StreamMeter } from './stream-meter.ts'
import type { StreamOptions } from './stream-options.ts'
import type { StreamSource } from './stream-source.ts'
import { streamHeaders } from './stream-headers.ts'
import type { SubscriptionRequest, SubscriptionRequests } from './subscription-requests.ts'

/** Says what a `GET` asks to be watched. @throws {Refusal} or {TreeError} what is wrong with it. */
export type PlanSubscription = (url: string) => StreamPlan

/** How long clients that take nothing may delay the end of the server, in milliseconds. */
const farewellMs = 1000

/** The open streams of a server: who they are, how many there may be, and that they are alive. */
export class StreamHub {
  readonly meter: StreamMeter = new StreamMeter()
  readonly #options: Required<StreamOptions>
  readonly #log: Log
  readonly #broadcaster: Broadcaster
  readonly #check: StreamSource['check']
  readonly #clients = new Set<StreamClient>()
  readonly #named = new Map<string, NamedStream>()
  readonly #addresses = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(source: StreamSource, options: Required<StreamOptions>, log: Log) {
    this.#options = options
    this.#log = log
    this.#check = (target) => source.check(target)
    const maxKeptBytes = options.maxPendingBytes
    this.#broadcaster = new Broadcaster(source, { maxKeptBytes, log }, this.meter)
  }

  /** Answers a request with the stream that it asks for. */
  open({ target, lastEventId }: StreamPlan, address: string): Answer | Promise<Answer> {
    const refusal = this.#refusal(address)
    if (refusal !== undefined) return refusal
    const answer: Answer = {
      status: 200,
      headers: streamHeaders,
      stream: (stream, onGone) => {
        const client = this.#begin(stream, onGone, address)
        this.#broadcaster.subscribe(client, target, lastEventId)
      },
    }
    return target.query === undefined ? answer : this.#checked(target, answer)
  }

  // Once the stream has begun it is too late to say that there is no index.
  async #checked(target: StreamPlan['target'], answer: Answer): Promise<Answer> {
    try {
      await this.#check(target)
      return answer
    } catch (error) {
      return failureResponse(error, this.#log)
    }
  }

  /** Answers with a stream of many subscriptions, which may be changed while it is open. */
  openNamed(
    requests: SubscriptionRequests,
    plan: PlanSubscription,
    lastEventId: string | undefined,
    address: string,
  ): Answer {
    const refusal = this.#refusal(address)
    if (refusal !== undefined) return refusal
    this.#checkCount(requests, 0)
    return {
      status: 200,
      headers: streamHeaders,
      stream: (stream, onGone) => {
        const id = randomBytes(18).toString('base64url')
        const client = this.#begin(stream, onGone, address, id)
        client.writeText(eventBlock({ event: 'open', data: JSON.stringify({ stream: id }) }))
        const named: NamedStream = { client, plan, lastEventId }
        this.#named.set(id, named)
        client.onGone(() => this.#named.delete(id))
        this.#subscribe(named, requests)
      },
    }
  }

  /** Adds subscriptions to a stream, and ends some. @throws {Refusal} 404 for a stream that is not open. */
  change(id: string, requests: SubscriptionRequests): HttpResponse {
    const named = this.#namedStream(id)
    this.#checkCount(requests, named.client.subscribers.size)
    this.#subscribe({ ...named, lastEventId: undefined }, requests)
    return jsonResponse(200, '{}')
  }

  /** Ends a stream of many subscriptions. @throws {Refusal} 404 for one that is not open. */
  end(id: string): HttpResponse {
    this.#namedStream(id).client.destroy()
    return jsonResponse(200, 'null')
  }

  /** Ends all streams, and tells their clients to come back. */
  close(): void {
    this.#isClosing = true
    clearInterval(this.#timer)
    this.#broadcaster.close()
    const clients = [...this.#clients]
    for (const client of clients) client.end(Math.random() * this.#options.reconnectWindowMs)
    const timer = setTimeout(() => {
      for (const client of this.#clients) client.destroy()
    }, farewellMs)
    timer.unref()
  }

  #refusal(address: string): HttpResponse | undefined {
    const { maxStreams, maxStreamsPerAddress } = this.#options
    if (this.#isClosing) return busy('The server is stopping')
    if (this.#clients.size >= maxStreams) return busy('The server is busy: Too many streams')
    if ((this.#addresses.get(address) ?? 0) >= maxStreamsPerAddress) {
      return busy('Too many streams from this address')
    }
    return undefined
  }

  #begin(
    stream: OutgoingStream,
    onGone: (listener: () => void) => void,
    address: string,
    id?: string,
  ): StreamClient {
    const client = new StreamClient(stream, this.meter, this.#options.maxPendingBytes, id)
    this.#clients.add(client)
    this.meter.open++
    this.#addresses.set(address, (this.#addresses.get(address) ?? 0) + 1)
    onGone(() => this.#gone(client, address))
    client.onDrain(() => this.#broadcaster.drained(client))
    this.#timer ??= setInterval(() => this.#keepAlive(), this.#options.keepAliveMs).unref()
    return client
  }

  #gone(client: StreamClient, address: string): void {
    if (!this.#clients.delete(client)) return
    this.meter.open--
    const others = this.#addresses.get(address)! - 1
    if (others === 0) this.#addresses.delete(address)
    else this.#addresses.set(address, others)
    for (const subscriber of client.subscribers) this.#broadcaster.unsubscribe(subscriber)
    client.gone()
    if (this.#clients.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #namedStream(id: string): NamedStream {
    const named = this.#named.get(id)
    if (named === undefined) throw new Refusal(404, 'There is no such stream')
    return named
  }

  #checkCount(requests: SubscriptionRequests, present: number): void {
    const { maxSubscriptions } = this.#options
    let count = present
    for (const request of requests.values()) if (request !== null) count++
    if (count <= maxSubscriptions) return
    throw new Refusal(400, `A stream has at most ${maxSubscriptions} subscriptions`)
  }

  #subscribe(named: NamedStream, requests: SubscriptionRequests): void {
    const { client } = named
    for (const [name, request] of requests) {
      for (const subscriber of client.subscribers) {
        if (subscriber.name === name) this.#broadcaster.unsubscribe(subscriber)
      }
      if (request !== null) void this.#subscribeNamed(named, name, request)
    }
  }

  async #subscribeNamed(
    { client, plan, lastEventId }: NamedStream,
    name: string,
    request: SubscriptionRequest,
  ): Promise<void> {
    try {
      const planned = plan(request.url)
      const since = request.lastEventId ?? planned.lastEventId ?? lastEventId
      const { target } = planned
      if (target.query !== undefined) await this.#check(target)
      if (!client.isGone) this.#broadcaster.subscribe(client, target, since, name)
    } catch (error) {
      const { status, body } = failureResponse(error, this.#log)
      const { error: message } = JSON.parse(textOf(body)) as { error: string }
      const data = JSON.stringify({ subscription: name, status, error: message })
      if (!client.isGone && !client.isBusy) client.writeText(eventBlock({ event: 'error', data }))
    }
  }

  /** Finds clients that have gone without a word: they take nothing of what they are sent. */
  #keepAlive(): void {
    const blocks = new Map<string, Uint8Array>()
    const { isFlushed } = this.#broadcaster
    for (const client of this.#clients) {
      const id = isFlushed ? this.#broadcaster.lowest(client)?.id : undefined
      const { isValue } = client
      const key = `${isValue}${id}`
      let block = blocks.get(key)
      if (block === undefined) {
        block = Buffer.from(keepAliveBlock(isValue, id))
        blocks.set(key, block)
      }
      if (!client.keepAlive(block, id)) client.destroy()
    }
  }
}

interface NamedStream {
  readonly client: StreamClient
  readonly plan: PlanSubscription
  readonly lastEventId: string | undefined
}

function textOf(body: HttpResponse['body']): string {
  return body instanceof Uint8Array ? Buffer.from(body).toString() : 'null'
}

function keepAliveBlock(isValue: boolean, id: string | undefined): string {
  return isValue
    ? eventBlock({ comment: 'keep-alive', id })
    : eventBlock({ event: 'keep-alive', data: 'null', id })
}

function busy(message: string): HttpResponse {
  return errorResponse(503, message, ['Retry-After', '1'])
}
