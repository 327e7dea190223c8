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
import type { StreamLimits } from './stream-options.ts'
import type { StreamSource } from './stream-source.ts'
import { streamHeaders } from './stream-headers.ts'
import type { StreamTarget } from './stream-target.ts'
import type { SubscriptionRequest, SubscriptionRequests } from './subscription-requests.ts'
import type { Subscriber } from './topic.ts'
import { TurnQueue } from './turn-queue.ts'
import { WholeChecks } from './whole-checks.ts'

/**
 * Says what a `GET` asks to be watched, in this database unless it names one. Default: that which was meant when
 * the stream was opened. @throws {Refusal} or {TreeError} what is wrong with it.
 */
export type PlanSubscription = (url: string, namespace?: string) => StreamPlan

/** How long clients that take nothing may delay the end of the server, in milliseconds. */
const farewellMs = 1000

/**
 * How long clients pause before they come back, at least, in milliseconds. `retry` is no delay for once: an `EventSource` waits
 * as long each time until the server is there, and after later failures. From near 0 on it would ask without a pause. With 5 seconds more
 * at most they ask as often, on average, as those that wait for 3 seconds, which browsers do that are told nothing.
 */
const minRetryMs = 1000

/** How long one turn of the event loop may be spent on keep-alives, in milliseconds. */
const turnMs = 1

/** Clients that are sent one between two looks at the clock. */
const clientsAtOnce = 16

/** Most text that the subscriptions of one stream may have together, in UTF-16 units: all of it is held. */
const maxTextLength = 1024 * 1024

/** The open streams of a server: who they are, how many there may be, and that they are alive. */
export class StreamHub {
  readonly meter: StreamMeter
  readonly #options: StreamLimits
  /** Keep-alives in a row between which a client has to take something. */
  readonly #patientRounds: number
  readonly #log: Log
  readonly #broadcaster: Broadcaster
  readonly #check: StreamSource['check']
  readonly #wholeChecks: WholeChecks
  readonly #clients = new Set<StreamClient>()
  readonly #named = new Map<string, NamedStream>()
  /** Places that are taken, of all and of each client address. */
  #places = 0
  readonly #addresses = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  /** Set while a round of keep-alives goes on. */
  #keepingAlive: NodeJS.Immediate | undefined
  /** Subscriptions that are asked for, and how many of them have not begun. */
  readonly #asked = new TurnQueue<AskedSubscription>((asked) => this.#beginAsked(asked))
  #pendingSubscriptions = 0
  /** How much text all subscriptions of named streams have. */
  #textLength = 0
  #isClosing = false

  constructor(source: StreamSource, options: StreamLimits, log: Log) {
    this.#options = options
    this.meter = new StreamMeter(options.maxTotalPendingBytes)
    // The system has room of its own, and says nothing before much of it is free again. So a client that takes
    // all the time may seem to rest for many short rounds.
    this.#patientRounds = Math.ceil(options.writeTimeoutMs / options.keepAliveMs)
    this.#log = log
    this.#check = (target) => source.check(target)
    this.#wholeChecks = new WholeChecks((target) => source.run({ target }))
    const { maxPendingBytes, maxUnsentBytes, recentBytes, lingerMs, maxStreams } = options
    const broadcasting = {
      maxKeptBytes: maxPendingBytes,
      maxUnsentBytes,
      maxKnownBytes: options.maxQueryKeyBytes,
      recentBytes,
      lingerMs: recentBytes === 0 ? 0 : lingerMs,
      maxLingering: maxStreams,
      log,
      onRefused: this.#refused.bind(this),
    }
    this.#broadcaster = new Broadcaster(source, broadcasting, this.meter)
  }

  /** Answers a request with the stream that it asks for. */
  open(plan: StreamPlan, address: string): Answer | Promise<Answer> {
    const { target, lastEventId } = plan
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
    const check = this.#checkOf(plan)
    return check === undefined ? answer : this.#checked(check, answer, address)
  }

  /**
   * What has to be known before the stream begins, where something has to: behind its head nothing is refused, and an `EventSource`
   * comes back for ever to a stream that only ends. With a limit that is the size of the whole value. Who goes on behind an
   * event may not need the whole; where it does, `cancel` makes it ask without its id.
   */
  #checkOf({ target, lastEventId }: StreamPlan): Promise<void> | undefined {
    if (target.maxBytes !== undefined && lastEventId === undefined) {
      return this.#wholeChecks.check(target)
    }
    return target.query === undefined ? undefined : this.#check(target)
  }

  async #checked(check: Promise<void>, answer: Answer, address: string): Promise<Answer> {
    try {
      await check
      // Others may have taken the last places meanwhile.
      return this.#refusal(address) ?? this.#promised(answer, address)
    } catch (error) {
      return failureResponse(error, this.#log)
    }
  }

  /** The answer with a place for its stream: others ask for one before this has begun. */
  #promised(answer: Answer, address: string): Answer {
    let isKept = true
    const giveBack = (): void => {
      if (isKept) this.#giveBack(address)
      isKept = false
    }
    this.#take(address)
    // By then it has begun, or its client has gone.
    setImmediate(giveBack)
    const begin = answer.stream
    return {
      ...answer,
      stream: (stream, onGone) => {
        giveBack()
        begin?.(stream, onGone)
      },
    }
  }

  /** Answers what {@link open} would, without a stream. */
  async head(plan: StreamPlan): Promise<HttpResponse> {
    try {
      await this.#checkOf(plan)
      return { status: 200, headers: streamHeaders }
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
    const subscriptions: NamedStream['subscriptions'] = new Map()
    this.#checkRoom(requests, subscriptions)
    const answer: Answer = {
      status: 200,
      headers: streamHeaders,
      stream: (stream, onGone) => {
        const id = randomBytes(18).toString('base64url')
        const client = this.#begin(stream, onGone, address, id)
        client.writeText(eventBlock({ event: 'open', data: JSON.stringify({ stream: id }) }))
        const named: NamedStream = { client, plan, lastEventId, subscriptions }
        this.#named.set(id, named)
        client.onGone(() => {
          this.#named.delete(id)
          for (const name of subscriptions.keys()) this.#withdraw(subscriptions, name)
        })
        this.#subscribe(named, requests)
      },
    }
    return this.#promised(answer, address)
  }

  /**
   * Adds subscriptions to a stream, and ends some.
   * @param namespace The database of those that name none. Default: that of the stream.
   * @throws {Refusal} 404 for a stream that is not open.
   */
  change(id: string, requests: SubscriptionRequests, namespace?: string): HttpResponse {
    const named = this.#namedStream(id)
    this.#checkRoom(requests, named.subscriptions)
    const plan: PlanSubscription = (url) => named.plan(url, namespace)
    this.#subscribe({ ...named, plan, lastEventId: undefined }, requests)
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
    clearImmediate(this.#keepingAlive)
    this.#broadcaster.close()
    const clients = [...this.#clients]
    for (const client of clients) {
      client.end(minRetryMs + Math.random() * this.#options.reconnectWindowMs)
    }
    const timer = setTimeout(() => {
      for (const client of this.#clients) client.destroy()
    }, farewellMs)
    timer.unref()
  }

  #refusal(address: string): HttpResponse | undefined {
    const { maxStreams, maxStreamsPerAddress } = this.#options
    if (this.#isClosing) return busy('The server is stopping')
    if (this.#places >= maxStreams) return busy('The server is busy: Too many streams')
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
    this.#take(address)
    onGone(() => this.#gone(client, address))
    client.onDrain(() => this.#broadcaster.drained(client))
    this.#timer ??= setInterval(() => this.#beginKeepAlive(), this.#options.keepAliveMs).unref()
    return client
  }

  #gone(client: StreamClient, address: string): void {
    if (!this.#clients.delete(client)) return
    this.meter.open--
    this.#giveBack(address)
    for (const subscriber of client.subscribers) this.#broadcaster.unsubscribe(subscriber)
    client.gone()
    this.#broadcaster.gone(client)
    if (this.#clients.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #take(address: string): void {
    this.#places++
    this.#addresses.set(address, (this.#addresses.get(address) ?? 0) + 1)
  }

  #giveBack(address: string): void {
    this.#places--
    const others = this.#addresses.get(address)! - 1
    if (others === 0) this.#addresses.delete(address)
    else this.#addresses.set(address, others)
  }

  #namedStream(id: string): NamedStream {
    const named = this.#named.get(id)
    if (named === undefined) throw new Refusal(404, 'There is no such stream')
    return named
  }

  #checkRoom(requests: SubscriptionRequests, present: NamedStream['subscriptions']): void {
    const { maxSubscriptions, maxTotalSubscriptions, maxTotalUrlLength } = this.#options
    const lengths = new Map(Array.from(present, ([name, { length }]) => [name, length]))
    for (const [name, request] of requests) {
      if (request === null) lengths.delete(name)
      else lengths.set(name, lengthOf(request))
    }
    if (lengths.size > maxSubscriptions) {
      throw new Refusal(400, `A stream has at most ${maxSubscriptions} subscriptions`)
    }
    const added = lengths.size - present.size
    const total = this.meter.subscriptions + this.#pendingSubscriptions + added
    if (added > 0 && total > maxTotalSubscriptions) {
      throw new Refusal(503, 'The server is busy: Too many subscriptions', ['Retry-After', '1'])
    }
    const length = sum(lengths.values())
    if (length > maxTextLength) {
      throw new Refusal(
        400,
        `The URLs of a stream have at most ${maxTextLength} characters together`,
      )
    }
    const addedLength = length - sum(Array.from(present.values(), (one) => one.length))
    if (addedLength > 0 && this.#textLength + addedLength > maxTotalUrlLength) {
      throw new Refusal(503, 'The server is busy: Too many long URLs', ['Retry-After', '1'])
    }
  }

  #subscribe(named: NamedStream, requests: SubscriptionRequests): void {
    const { client, subscriptions } = named
    for (const [name, request] of requests) {
      this.#withdraw(subscriptions, name)
      if (request === null) continue
      const subscription: NamedSubscription = { length: lengthOf(request) }
      subscriptions.set(name, subscription)
      this.#textLength += subscription.length
      // Before it has begun, no id says that the client has it.
      client.pendingSubscriptions++
      this.#pendingSubscriptions++
      subscription.asked = { named, name, request, subscription }
      this.#asked.add(subscription.asked)
    }
    this.#asked.run()
  }

  /** Ends a subscription, also one that has not begun: who replaces those again and again would have all of them held. */
  #withdraw(subscriptions: NamedStream['subscriptions'], name: string): void {
    const { subscriber, asked } = this.#forget(subscriptions, name) ?? {}
    if (subscriber !== undefined) this.#broadcaster.unsubscribe(subscriber)
    if (asked !== undefined && this.#asked.delete(asked)) this.#decided(asked)
  }

  #forget(
    subscriptions: NamedStream['subscriptions'] | undefined,
    name: string,
  ): NamedSubscription | undefined {
    const subscription = subscriptions?.get(name)
    if (subscription === undefined) return undefined
    subscriptions!.delete(name)
    this.#textLength -= subscription.length
    return subscription
  }

  /** Begins a subscription, if it is still wanted. @returns a promise where its target is looked at first. */
  #beginAsked(asked: AskedSubscription): Promise<void> | undefined {
    const { named, name, request, subscription } = asked
    try {
      if (isWanted(asked)) {
        const { target, lastEventId = named.lastEventId } = named.plan(request.url)
        // As in the header, an empty one is none.
        const since = (request.lastEventId ?? lastEventId) || undefined
        const begin = (): void => {
          subscription.subscriber = this.#broadcaster.subscribe(named.client, target, since, name)
        }
        if (target.query !== undefined) return this.#beginChecked(asked, target, begin)
        begin()
      }
    } catch (error) {
      this.#notBegun(asked, error)
    }
    this.#decided(asked)
    return undefined
  }

  // While its target is looked at, the client may go, end it, or ask for something else by its name.
  async #beginChecked(
    asked: AskedSubscription,
    target: StreamTarget,
    begin: () => void,
  ): Promise<void> {
    try {
      await this.#check(target)
      if (isWanted(asked)) begin()
    } catch (error) {
      if (isWanted(asked)) this.#notBegun(asked, error)
    }
    this.#decided(asked)
  }

  #notBegun({ named: { client, subscriptions }, name }: AskedSubscription, error: unknown): void {
    this.#forget(subscriptions, name)
    const { status, body } = failureResponse(error, this.#log)
    const { error: message } = JSON.parse(textOf(body)) as { error: string }
    client.tell(errorBlock(name, status, message))
  }

  #decided({ named: { client }, subscription }: AskedSubscription): void {
    subscription.asked = undefined
    client.pendingSubscriptions--
    this.#pendingSubscriptions--
  }

  /** What a subscriber asked for can't be shown any more, as it would be refused if it was asked for now. */
  #refused({ client, name }: Subscriber, { status, message }: Refusal): void {
    if (name === undefined) {
      client.cancel(message)
      return
    }
    this.#forget(this.#named.get(client.id!)?.subscriptions, name)
    client.tell(errorBlock(name, status, message))
  }

  // Two rounds at a time would take a client for one that takes nothing.
  #beginKeepAlive(): void {
    if (this.#keepingAlive === undefined) this.#keepAlive()
  }

  /**
   * Whether others wait for the room of a client that takes something all the time, and never all: what it has counts until that, and with a
   * little now and then it could have it for hours. The first round may have begun just before it.
   */
  #isInTheWay({ undrainedRounds }: StreamClient): boolean {
    return this.#broadcaster.isOutOfRoom && undrainedRounds > this.#patientRounds
  }

  /** Finds clients that have gone without a word: they take nothing of what they are sent. */
  #keepAlive(clients: Iterator<StreamClient> = this.#clients.values()): void {
    const end = performance.now() + turnMs
    const blocks = new Map<string, Uint8Array>()
    const { isFlushed } = this.#broadcaster
    this.#keepingAlive = undefined
    for (let count = 1; ; count++) {
      const { value: client, done } = clients.next()
      if (done === true) return
      const id = isFlushed ? this.#broadcaster.placeOf(client)?.id : undefined
      const { isValue } = client
      const key = `${isValue}${id}`
      let block = blocks.get(key)
      if (block === undefined) {
        block = Buffer.from(keepAliveBlock(isValue, id))
        blocks.set(key, block)
      }
      const isStill = client.keepAlive(block, id) >= this.#patientRounds
      if (isStill || this.#isInTheWay(client)) client.destroy()
      if (count % clientsAtOnce !== 0 || performance.now() < end) continue
      // Events and requests come in between.
      this.#keepingAlive = setImmediate(() => this.#keepAlive(clients))
      return
    }
  }
}

interface NamedStream {
  readonly client: StreamClient
  readonly plan: PlanSubscription
  readonly lastEventId: string | undefined
  /** By their names, from when they were asked for. */
  readonly subscriptions: Map<string, NamedSubscription>
}

interface NamedSubscription {
  /** How much text its request has. */
  readonly length: number
  /** None before it has begun. */
  subscriber?: Subscriber
  /** Before it is known whether it begins. */
  asked?: AskedSubscription | undefined
}

function lengthOf({ url, lastEventId = '' }: SubscriptionRequest): number {
  return url.length + lastEventId.length
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}

function textOf(body: HttpResponse['body']): string {
  return body instanceof Uint8Array ? Buffer.from(body).toString() : 'null'
}

interface AskedSubscription {
  readonly named: NamedStream
  readonly name: string
  readonly request: SubscriptionRequest
  readonly subscription: NamedSubscription
}

/** Whether the client is there, and has asked for nothing else by that name since. */
function isWanted({ named, name, subscription }: AskedSubscription): boolean {
  return !named.client.isGone && named.subscriptions.get(name) === subscription
}

function errorBlock(subscription: string, status: number, error: string): string {
  return eventBlock({ event: 'error', data: JSON.stringify({ subscription, status, error }) })
}

function keepAliveBlock(isValue: boolean, id: string | undefined): string {
  return isValue
    ? eventBlock({ comment: 'keep-alive', id })
    : eventBlock({ event: 'keep-alive', data: 'null', id })
}

function busy(message: string): HttpResponse {
  return errorResponse(503, message, ['Retry-After', '1'])
}
