// Runs the package's own code as several threads, one atomic step at a time, in every possible order.
//
// Threads are functions over shared words. A step is one call of `Atomics`, or a plain write to a word that another
// thread may look at without owning it; all else that a thread does belongs to the step before. JavaScript
// can't stop a function in the middle, so a thread is run again from the beginning of its current
// operation: what it has read so far is answered from notes, its writes are ignored, then it takes one
// real step, and an exception ends it before the next. Two states are the same when the memory, what the threads
// have returned and what they have read in their current operation are the same; each is visited once.

/** What an operation is given. */
export interface Context {
  words: Int32Array
  bytes: Uint8Array<SharedArrayBuffer>
}

/** One operation of a thread. Its result is plain data, AGAIN or END. */
export type Operation = (context: Context) => unknown

/** Returned by an operation that has to be made again, as if it had never been made. */
export const AGAIN: unique symbol = Symbol('again')

/** Returned by an operation after which its thread makes no other. */
export const END: unique symbol = Symbol('end')

export interface Program {
  /** The memory at the start. */
  memory: Int32Array
  /** Words whose plain writes are steps. Default: none. */
  isVisible?: (index: number) => boolean
  /**
   * Of a word that is only ever compared with zero or with what it was before, which makes many states the
   * same: 'zero or not', or 'changed or not', whose reads are noted as differences to what it is now. And of one
   * that nobody changes: 'nothing', whose reads are no steps.
   */
  usedFor?: (index: number) => Use | undefined
  threads: Operation[][]
  /** Threads that may die, at any point. */
  mayDie?: number[]
  /** Threads that start only after all those have died. */
  afterDeaths?: number[]
  /** Threads whose `Atomics.wait` may time out, at any point. */
  mayTimeOut?: number[]
  /** Called where nobody can go on. Throws if that must not be. */
  check: (end: End) => void
}

export type Use = 'zero or not' | 'changed or not' | 'nothing'

/** How a run has ended. */
export interface End {
  memory: Int32Array
  /** What the operations of each thread have returned. */
  results: (readonly unknown[])[]
  /** Threads that sleep and will never be woken. */
  asleep: number[]
  /** Threads that have died. */
  dead: number[]
}

const statuses = ['ready', 'asleep', 'done', 'dead', 'waiting for a death'] as const

interface Thread {
  status: (typeof statuses)[number]
  results: readonly unknown[]
  /** A hash of `results`. */
  past: number
  /** What it has read in its current operation, and from where; -1: it does not matter. */
  read: number[]
  readFrom: number[]
  /** The word it sleeps on. */
  sleepsOn: number
}

interface State {
  memory: Int32Array
  threads: Thread[]
  /** Sleeping threads, the first one first. */
  queue: number[]
  from: State | undefined
  /** Thread, what it did, and to which word. */
  step: [number, string, number]
}

const WOKEN = 0
const NOT_EQUAL = 1
const TIMED_OUT = 2
const waitResults = ['ok', 'not-equal', 'timed-out'] as const

/** Thrown at the end of each step: to make it anew, with its stack, would take most of the time. */
const suspended = new Error('Suspended')

/**
 * Visits all states, or only some orders of steps.
 * @param pick chooses among the possible next states, for a random run; by default all are visited
 * @returns how many states there were
 */
export function explore(program: Program, pick?: (count: number) => number): number {
  const machine = new Machine(program)
  const seen = new Set<number>()
  const start = machine.start()
  const stack = [start]
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const next = machine.next(state)
    if (!next.some(({ step }) => step[1] !== DEATH)) machine.end(state)
    if (pick !== undefined) {
      const picked = next[pick(next.length)]
      seen.add(seen.size)
      if (picked !== undefined) stack.push(picked)
      continue
    }
    for (const candidate of next) {
      const key = machine.keyOf(candidate)
      if (seen.has(key)) continue
      seen.add(key)
      stack.push(candidate)
    }
  }
  return seen.size
}

const DEATH = 'dies'

class Hash {
  #low = 0x811c9dc5
  #high = 0x1b873593

  add(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x85ebca6b)
    this.#low ^= this.#low >>> 13
    this.#high = Math.imul(this.#high ^ word, 0xc2b2ae35)
    this.#high ^= this.#high >>> 16
  }

  get value(): number {
    return (this.#high & 0x1fffff) * 2 ** 32 + (this.#low >>> 0)
  }
}

class Machine {
  readonly #program: Program
  readonly #context: Context
  /** The words that were ever touched, and where they are in a state's memory. */
  readonly #places = new Map<number, number>()
  /** The same words, by those places. */
  readonly #touched: number[] = []

  // What the current step works on.
  #state: State
  #thread: Thread
  #index = 0
  #replayed = 0
  #stepTaken = false
  #description = ''
  #described = 0

  constructor(program: Program) {
    this.#program = program
    this.#context = { words: this.#makeWords(), bytes: this.#makeBytes() }
    this.#state = this.start()
    this.#thread = this.#state.threads[0] as Thread
  }

  start(): State {
    const { threads, afterDeaths = [] } = this.#program
    return {
      memory: new Int32Array(0),
      threads: threads.map((_, index) => ({
        status: afterDeaths.includes(index) ? 'waiting for a death' : 'ready',
        results: [],
        past: 0,
        read: [],
        readFrom: [],
        sleepsOn: -1,
      })),
      queue: [],
      from: undefined,
      step: [-1, 'start', -1],
    }
  }

  /**
   * A number that two different states hardly share: with a million states, one run in 10,000 takes two for
   * the same. SPIN calls this hash compaction.
   */
  keyOf(state: State): number {
    this.#state = state
    const { usedFor } = this.#program
    const hash = new Hash()
    const { memory } = state
    for (let place = 0; place < memory.length; place++) {
      const word = memory[place] as number
      const index = this.#touched[place] as number
      // Later ones are 0: whether they were met before must not matter.
      if (word !== 0 && usedFor?.(index) !== 'changed or not') {
        hash.add(index)
        hash.add(word)
      }
    }
    for (const { status, past, read, readFrom } of state.threads) {
      hash.add(statuses.indexOf(status))
      hash.add(past)
      hash.add(read.length)
      for (let i = 0; i < read.length; i++) {
        const word = read[i] as number
        const from = readFrom[i] as number
        hash.add(usedFor?.(from) === 'changed or not' ? word - this.#get(from) : word)
      }
    }
    for (const sleeper of state.queue) hash.add(sleeper)
    return hash.value
  }

  /** All states that one step leads to. */
  next(state: State): State[] {
    const { mayDie = [], mayTimeOut = [] } = this.#program
    const next: State[] = []
    for (const [index, { status }] of state.threads.entries()) {
      if (status === 'ready') next.push(this.#step(state, index))
      if (status === 'asleep' && mayTimeOut.includes(index)) {
        next.push(this.#timeOut(state, index))
      }
      const canDie = status === 'ready' || status === 'asleep'
      if (canDie && mayDie.includes(index)) next.push(this.#die(state, index))
    }
    return next
  }

  end(state: State): void {
    const memory = this.#program.memory.slice()
    this.#state = state
    for (const index of this.#places.keys()) memory[index] = this.#get(index)
    try {
      this.#program.check({
        memory,
        results: state.threads.map(({ results }) => results),
        asleep: threadsWith(state, 'asleep'),
        dead: threadsWith(state, 'dead'),
      })
    } catch (error) {
      this.#explain(state, error)
    }
  }

  #explain(state: State, cause: unknown): never {
    const steps: string[] = []
    for (let at: State | undefined = state; at !== undefined; at = at.from) {
      steps.unshift(at.step.join(' '))
    }
    throw new Error(`${String(cause)}\n${steps.join('\n')}`, { cause })
  }

  #step(from: State, index: number): State {
    const state = this.#copy(from, index)
    const operation = this.#program.threads[index]?.[this.#thread.results.length]
    this.#index = index
    this.#replayed = 0
    this.#stepTaken = false
    const real = globalThis.Atomics
    globalThis.Atomics = this.#atomics as unknown as typeof Atomics
    let result: unknown
    try {
      result = operation?.(this.#context)
    } catch (error) {
      if (error !== suspended) this.#explain(from, error)
      state.step = [index, this.#description, this.#described]
      return state
    } finally {
      globalThis.Atomics = real
    }
    state.step = [index, `${this.#description} (then returns)`, this.#described]
    this.#thread.read = []
    this.#thread.readFrom = []
    if (result !== AGAIN && result !== END) {
      this.#thread.results = [...this.#thread.results, result]
      const hash = new Hash()
      for (const char of JSON.stringify(this.#thread.results)) hash.add(char.charCodeAt(0))
      this.#thread.past = hash.value | 0
    }
    const { length } = this.#program.threads[index] ?? []
    if (result === END || this.#thread.results.length === length) this.#thread.status = 'done'
    return state
  }

  #die(from: State, index: number): State {
    const state = this.#copy(from, index)
    this.#thread.status = 'dead'
    state.queue = state.queue.filter((sleeper) => sleeper !== index)
    const { mayDie = [] } = this.#program
    if (threadsWith(state, 'dead').length === mayDie.length) {
      for (const other of threadsWith(state, 'waiting for a death')) {
        this.#own(other).status = 'ready'
      }
    }
    state.step = [index, DEATH, -1]
    return state
  }

  #timeOut(from: State, index: number): State {
    const state = this.#copy(from, index)
    state.queue = state.queue.filter((sleeper) => sleeper !== index)
    this.#thread.status = 'ready'
    note(this.#thread, TIMED_OUT, -1)
    state.step = [index, 'times out on', this.#thread.sleepsOn]
    return state
  }

  #copy(from: State, index: number): State {
    this.#state = {
      memory: from.memory.slice(),
      threads: from.threads.slice(),
      queue: from.queue.slice(),
      from,
      step: [index, '', -1],
    }
    this.#thread = this.#own(index)
    return this.#state
  }

  /** A thread of the current state that may be changed. */
  #own(index: number): Thread {
    const { status, results, past, read, readFrom, sleepsOn } = this.#state.threads[index] as Thread
    const own = {
      status,
      results,
      past,
      read: read.slice(),
      readFrom: readFrom.slice(),
      sleepsOn,
    }
    this.#state.threads[index] = own
    return own
  }

  #placeOf(index: number): number {
    let place = this.#places.get(index)
    if (place === undefined) {
      place = this.#places.size
      this.#places.set(index, place)
      this.#touched.push(index)
    }
    return place
  }

  /** States hold the difference to the program's memory, so that a word not touched yet is 0 in all. */
  #get(index: number): number {
    const difference = this.#state.memory[this.#placeOf(index)] ?? 0
    return ((this.#program.memory[index] as number) + difference) | 0
  }

  #set(index: number, value: number): void {
    const place = this.#placeOf(index)
    if (place >= this.#state.memory.length) {
      const memory = new Int32Array(this.#places.size)
      memory.set(this.#state.memory)
      this.#state.memory = memory
    }
    this.#state.memory[place] = value - (this.#program.memory[index] as number)
  }

  /** Answers from the notes, or does it now. */
  #recall(from: number, live: () => number): number {
    const { read } = this.#thread
    if (this.#replayed < read.length) return read[this.#replayed++] as number
    const value = live()
    note(this.#thread, value, from)
    this.#replayed++
    return value
  }

  /** The same for something that is a step. */
  #asStep(what: string, index: number, from: number, live: () => number): number {
    return this.#recall(from, () => {
      if (this.#stepTaken) throw suspended
      this.#stepTaken = true
      this.#description = what
      this.#described = index
      return live()
    })
  }

  get #replaying(): boolean {
    return this.#replayed < this.#thread.read.length
  }

  #makeWords(): Int32Array {
    const target: Record<string, unknown> = {}
    return new Proxy(target, {
      get: (_, key) => this.#recall(Number(key), () => this.#get(Number(key))),
      set: (_, key, value: number) => {
        this.#write(Number(key), value)
        return true
      },
    }) as unknown as Int32Array
  }

  #write(index: number, value: number): void {
    if (this.#program.isVisible?.(index) === true) {
      this.#asStep('write', index, -1, () => {
        this.#set(index, value)
        return 0
      })
    } else if (!this.#replaying) {
      // Notes of silent writes are not needed, but where they stand among the reads is: see #recall.
      this.#set(index, value)
    }
  }

  #makeBytes(): Uint8Array<SharedArrayBuffer> {
    const subarray = (from: number, to: number): unknown =>
      new Proxy(
        { length: to - from },
        {
          get: (target, key) => {
            if (key === 'length') return target.length
            const at = from + Number(key)
            return (this.#recall(at >>> 2, () => this.#get(at >>> 2)) >>> ((at & 3) * 8)) & 0xff
          },
        },
      )
    // Items are told apart by their tags: they have no bytes.
    return { set: () => undefined, subarray } as unknown as Uint8Array<SharedArrayBuffer>
  }

  // What the package does not use of the results is not noted: it would make states differ.
  readonly #atomics = {
    load: (_: unknown, index: number): number => {
      const use = this.#program.usedFor?.(index)
      if (use === 'nothing') return this.#get(index)
      return this.#asStep('load', index, index, () => {
        const value = this.#get(index)
        return use === 'zero or not' && value !== 0 ? 1 : value
      })
    },
    store: (_: unknown, index: number, value: number): void =>
      void this.#change('store', index, () => value),
    add: (_: unknown, index: number, value: number): void =>
      void this.#change('add', index, (old) => (old + value) | 0),
    and: (_: unknown, index: number, value: number): void =>
      void this.#change('and', index, (old) => old & value),
    or: (_: unknown, index: number, value: number): void =>
      void this.#change('or', index, (old) => old | value),
    compareExchange: (_: unknown, index: number, old: number, value: number): number =>
      this.#asStep('compare and exchange', index, index, () => {
        const now = this.#get(index)
        if (now === old) this.#set(index, value)
        return now
      }),
    wait: (_: unknown, index: number, value: number): string =>
      waitResults[this.#asStep('wait on', index, -1, () => this.#wait(index, value))] as string,
    notify: (_: unknown, index: number, count: number = Infinity): void =>
      void this.#asStep('notify', index, -1, () => this.#notify(index, count)),
  }

  #change(what: string, index: number, change: (old: number) => number): number {
    return this.#asStep(what, index, -1, () => {
      this.#set(index, change(this.#get(index)))
      return 0
    })
  }

  #wait(index: number, value: number): number {
    if (this.#get(index) !== value) return NOT_EQUAL
    this.#thread.status = 'asleep'
    this.#thread.sleepsOn = index
    this.#state.queue.push(this.#index)
    // The answer is noted by whoever wakes it.
    throw suspended
  }

  #notify(index: number, count: number): number {
    const { queue, threads } = this.#state
    const woken = queue.filter((sleeper) => threads[sleeper]?.sleepsOn === index).slice(0, count)
    for (const sleeper of woken) {
      const thread = this.#own(sleeper)
      thread.status = 'ready'
      note(thread, WOKEN, -1)
    }
    this.#state.queue = queue.filter((sleeper) => !woken.includes(sleeper))
    return 0
  }
}

function threadsWith({ threads }: State, status: Thread['status']): number[] {
  return [...threads.keys()].filter((index) => threads[index]?.status === status)
}

function note(thread: Thread, value: number, from: number): void {
  thread.read.push(value)
  thread.readFrom.push(from)
}
