// Sleeping until something may have changed, for threads that go on with other things meanwhile.
//
// `Atomics.waitAsync` has three traps. It does not keep the thread alive, so a timer does while anything is
// pending. It can't be cancelled, and one that nobody needs any more swallows a wake-up that was
// meant for another thread; so a participant has at most one for each event count, shared by
// all its pending calls, and when the last of them is aborted, everybody is woken to be rid of it. And whoever is woken
// and finds no use for it passes it on.
import { Turns } from './turns.ts'
import { MAX_SLEEP_MS } from './waiting.ts'
import type { EventCount, Need } from './waiting.ts'
import type { Wait } from './work-queue.ts'

/** Returned by an attempt that cannot be made now: the line is pumped again when it can. */
export const HOLD = 'hold'

/** Tries to do a pending call. @returns `undefined` when it is done, or what to wait for */
export type Attempt = () => Need | typeof HOLD | undefined

interface Pending {
  /** `undefined` once the call is over: its place may be kept for a while, and what it passes not. */
  attempt: Attempt | undefined
  resolve: (done: boolean) => void
  reject: (reason: unknown) => void
}

/** The pending calls of one participant. */
export class AsyncWaiting {
  readonly #sleeps = new Map<EventCount, AsyncSleep>()
  readonly #lines = new Set<Line>()
  /** For lines: what is called when the signal of a call aborts. */
  readonly aborts: Aborts = new Aborts()
  readonly turns: Turns = new Turns()
  #pending = 0
  #keepAlive: NodeJS.Timeout | undefined

  /** The sleep on an event count. */
  sleepOn(events: EventCount): AsyncSleep {
    let sleep = this.#sleeps.get(events)
    if (sleep === undefined) this.#sleeps.set(events, (sleep = new AsyncSleep(events)))
    return sleep
  }

  /**
   * Tries all pending calls again.
   * @param last the line whose turn it was: another one has its own before that, however many calls it has
   */
  pumpAll(last?: Line): void {
    if (last !== undefined && this.#lines.delete(last)) this.#lines.add(last)
    for (const line of this.#lines) line.pump()
  }

  /** Rejects all pending calls, for good: the participant's number, and its bits, will be another's. */
  end(reason: unknown): void {
    for (const line of this.#lines) line.end(reason)
    for (const sleep of this.#sleeps.values()) sleep.end()
  }

  /** For lines: a call has become pending. */
  begin(line: Line): void {
    this.#lines.add(line)
    // The interval is an insurance as well, see MAX_SLEEP_MS.
    if (++this.#pending === 1) this.#keepAlive = setInterval(() => this.pumpAll(), MAX_SLEEP_MS)
  }

  /** For lines: a call is pending no more. */
  finish(line: Line): void {
    if (line.isEmpty) {
      this.#lines.delete(line)
      // A draft has a line for each call: a sleep that others need for long would collect them.
      for (const sleep of this.#sleeps.values()) sleep.forget(line)
    }
    if (--this.#pending > 0) return
    clearInterval(this.#keepAlive)
    this.dropUnused()
  }

  /** For lines: a call has been given up, and nobody may need its sleep any more. */
  dropUnused(): void {
    for (const sleep of this.#sleeps.values()) sleep.dropUnused()
  }
}

/**
 * One listener for all calls that have the same signal: Node.js looks through all listeners of a signal to add or to remove
 * one.
 */
class Aborts {
  readonly #listeners = new Map<AbortSignal, Listeners>()

  /** @throws {TypeError} for what is no signal */
  add(signal: AbortSignal, listener: () => void): void {
    let listeners = this.#listeners.get(signal)
    if (listeners === undefined) {
      listeners = new Listeners()
      signal.addEventListener('abort', listeners, { once: true })
      this.#listeners.set(signal, listeners)
    }
    listeners.all.add(listener)
  }

  delete(signal: AbortSignal, listener: () => void): void {
    const listeners = this.#listeners.get(signal)
    if (listeners?.all.delete(listener) !== true || listeners.all.size > 0) return
    this.#listeners.delete(signal)
    signal.removeEventListener('abort', listeners)
  }
}

class Listeners {
  readonly all = new Set<() => void>()

  handleEvent(): void {
    for (const listener of this.all) listener()
  }
}

/** Pending calls that are done in order. */
export class Line {
  readonly #waiting: AsyncWaiting
  /** In order, with as many at most that are over: to take one out of its place moves all behind it. */
  #calls: Pending[] = []
  /** Before this place all are over. */
  #start = 0
  /** How many are not over. */
  #count = 0
  #pumping = false

  constructor(waiting: AsyncWaiting) {
    this.#waiting = waiting
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /**
   * Makes a call when its turn has come and it can be done.
   * @param mayWaitForTurn Whether it may be told of that a turn of the event loop later, for others.
   * @returns `false` when the time was over before
   */
  async add(
    attempt: Attempt,
    { timeoutMs, signal }: Wait = {},
    mayWaitForTurn = true,
  ): Promise<boolean> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const call: Pending = { attempt, resolve, reject }
    const abort = (): void => this.#giveUp(call, () => reject(signal?.reason))
    // First of all: what is no signal throws here, and must not leave a call in the line that nobody makes.
    if (signal !== undefined) this.#waiting.aborts.add(signal, abort)
    this.#calls.push(call)
    this.#count++
    this.#waiting.begin(this)
    // A finite time only: setTimeout has no other.
    const timer =
      timeoutMs === undefined || timeoutMs > MAX_TIMER_MS
        ? undefined
        : setTimeout(() => this.#giveUp(call, () => resolve(false)), timeoutMs)
    try {
      if (this.#count === 1) this.pump()
      const turn = mayWaitForTurn && isOver(call) ? this.#waiting.turns.due() : undefined
      const done = await promise
      const next = mayWaitForTurn ? (turn ?? this.#waiting.turns.next) : undefined
      if (next !== undefined) await next
      return done
    } finally {
      clearTimeout(timer)
      if (signal !== undefined) this.#waiting.aborts.delete(signal, abort)
    }
  }

  /** Does what can be done. */
  pump(): void {
    // A call that is done can wake what pumps this line again.
    if (this.#pumping) return
    this.#pumping = true
    while (this.#pumpFirst()) {
      // Until one has to wait.
    }
    this.#pumping = false
  }

  /** @returns whether to go on */
  #pumpFirst(): boolean {
    const call = this.#first()
    if (call?.attempt === undefined) return false
    try {
      const need = call.attempt()
      if (need === HOLD) return false
      if (need !== undefined) return !this.#waiting.sleepOn(need.events).begin(this, need)
      call.resolve(true)
    } catch (error) {
      call.reject(error)
    }
    this.#remove(call)
    return true
  }

  /** Rejects all calls. */
  end(reason: unknown): void {
    for (let call = this.#first(); call !== undefined; call = this.#first()) {
      call.reject(reason)
      this.#remove(call)
    }
  }

  #giveUp(call: Pending, settle: () => void): void {
    const wasFirst = this.#first() === call
    if (!this.#remove(call)) return
    settle()
    // The one behind it may need something else.
    if (wasFirst) this.pump()
    this.#waiting.dropUnused()
  }

  #first(): Pending | undefined {
    let call = this.#calls[this.#start]
    while (call !== undefined && isOver(call)) call = this.#calls[++this.#start]
    return call
  }

  #remove(call: Pending): boolean {
    if (isOver(call)) return false
    call.attempt = undefined
    this.#count--
    if (this.#calls.length > 2 * this.#count) {
      this.#calls = this.#calls.filter((other) => !isOver(other))
      this.#start = 0
    }
    this.#waiting.finish(this)
    return true
  }
}

function isOver({ attempt }: Pending): boolean {
  return attempt === undefined
}

/** What `setTimeout` takes; it fires at once for more. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The one `waitAsync` of a participant on an event count, and the lines that wait for it. */
export class AsyncSleep {
  readonly #events: EventCount
  /** None that is empty. */
  #lines = new Set<Line>()
  #asleep = false
  #hasEnded = false

  constructor(events: EventCount) {
    this.#events = events
  }

  /** @returns `false` when the line should try again instead of waiting */
  begin(line: Line, need: Need): boolean {
    // The bit was there before the attempt that has just failed: what changes since then, wakes.
    if (this.#asleep) {
      this.#lines.add(line)
      return true
    }
    const sequence = this.#events.announce()
    const woken = need.ready() ? undefined : this.#events.sleepAsync(sequence)
    if (woken === undefined) {
      this.#events.leave()
      return false
    }
    this.#asleep = true
    this.#lines.add(line)
    void woken.then(() => this.#wake(need))
    return true
  }

  #wake(need: Need): void {
    if (this.#hasEnded) return
    this.#asleep = false
    this.#events.leave()
    // Those that have to wait again come into the new set.
    const lines = this.#lines
    this.#lines = new Set()
    for (const line of lines) line.pump()
    // Somebody else may have a use for what is still there.
    if (need.ready()) this.#events.wakeOne()
  }

  /** No call of the line is pending any more. */
  forget(line: Line): void {
    this.#lines.delete(line)
  }

  /** Gets rid of a sleep that no call waits for, see above. */
  dropUnused(): void {
    if (this.#lines.size === 0 && this.#asleep) this.#events.wakeAll()
  }

  /**
   * Takes the bit back now and not when woken. A wake-up that was on its way here is not lost: `dropUnused` has woken
   * everybody after the last call was rejected.
   */
  end(): void {
    this.#hasEnded = true
    if (this.#asleep) this.#events.leave()
  }
}
