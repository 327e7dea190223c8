// The shared table of tasks that are in the queue or in the hands of a thread: one 32-bit word a slot, which
// says who may settle the task, and for tasks with a time limit the time at which it was started.
//
//   bits 31..16  generation   which use of the slot this is; wraps
//   bits 15..4   thread       index of the thread that has taken it (Taken, Running)
//   bit  3       cancel       set by the pool, polled by the handler
//   bits 2..0    state
//
// A queue item names its task by a tag, generation << 16 | slot. Every change of state is a compare-and-exchange
// of the whole word, so that exactly one side wins:
//
//   T1  Queued -> Taken, Running     by the thread that dequeued the item, before anything else
//   T2  Queued, Taken -> Cancelled   by the pool: the task never starts, the pool settles it
//   T3  Taken -> Running             by the thread, before the handler is called
//   T4  Running -> (nothing)         the thread publishes a completion or dies; the pool frees the slot then
//
// A slot is used again once it is Cancelled, or once its completion was read or its thread has ended. An item of an
// earlier use may still be in the queue: its generation differs, so T1 fails and the item is skipped.
// The generation cannot come round meanwhile: slots are used in turn, so the same word returns after
// 65,536 x slots tasks, while at most ageEvery x capacity x bands are taken before any one item is.
//
// Each time one side writes what the other has written, it has to take that line of memory from the other's processor,
// which takes longer than all else that is done here. So the pool counts generations in memory of its own, and the times
// are left alone where nobody asks for them.

/** Where a task is. */
export const TaskState = { Free: 0, Queued: 1, Taken: 2, Running: 3, Cancelled: 4 } as const
export type TaskState = (typeof TaskState)[keyof typeof TaskState]

/** Threads that a table can tell apart at a time. */
export const maxThreadIndex = 0xfff
/** Slots that a table can have. */
export const maxSlots = 0x10000

const stateMask = 7
const cancelBit = 8

/** One thread's view of the table. */
export class TaskTable {
  readonly buffer: SharedArrayBuffer
  readonly slots: number
  readonly #words: Int32Array
  /** By slot: when it was started, or 0. Plain writes: a late value makes a time limit late by as much. */
  readonly #starts: Float64Array
  /** By slot, for the pool alone: which use of the slot this is. */
  readonly #generations: Uint16Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.slots = buffer.byteLength / 12
    this.#starts = new Float64Array(buffer, 0, this.slots)
    this.#words = new Int32Array(buffer, this.slots * 8, this.slots)
    this.#generations = new Uint16Array(this.slots)
  }

  static allocate(slots: number): TaskTable {
    return new TaskTable(new SharedArrayBuffer(slots * 12))
  }

  // For the pool.

  /**
   * Takes a free slot into use.
   * @param isTimed whether {@link TaskTable.startedAt} will be asked for
   * @returns the tag
   */
  open(slot: number, isTimed: boolean): number {
    const generation = this.#nextGeneration(slot)
    if (isTimed) this.#starts[slot] = 0
    // A plain store: the item of the queue that brings the tag publishes it, and nobody else has the slot.
    this.#words[slot] = (generation << 16) | TaskState.Queued
    return ((generation << 16) | slot) >>> 0
  }

  /** As {@link TaskTable.open}, for a task that is given to a thread without the queue: it is `Taken`. */
  openFor(slot: number, isTimed: boolean, thread: number): number {
    const tag = this.open(slot, isTimed)
    Atomics.store(this.#words, slot, (tag & 0xffff0000) | (thread << 4) | TaskState.Taken)
    return tag
  }

  /** Cancels a task that has not started (T2). @returns whether it will never start */
  cancel(tag: number): boolean {
    const slot = tag & 0xffff
    for (;;) {
      const word = Atomics.load(this.#words, slot)
      const state = word & stateMask
      if (state !== TaskState.Queued && state !== TaskState.Taken) return false
      const next = (word & ~stateMask) | TaskState.Cancelled
      if (Atomics.compareExchange(this.#words, slot, word, next) === word) return true
    }
  }

  /** Asks a running task to stop: {@link TaskTable.isCancelled} is true from now on. */
  requestCancel(tag: number): void {
    Atomics.or(this.#words, tag & 0xffff, cancelBit)
  }

  state(tag: number): TaskState {
    return (Atomics.load(this.#words, tag & 0xffff) & stateMask) as TaskState
  }

  /** The thread that has taken the task, or -1. */
  thread(tag: number): number {
    const word = Atomics.load(this.#words, tag & 0xffff)
    const state = word & stateMask
    return state === TaskState.Taken || state === TaskState.Running ? (word >>> 4) & 0xfff : -1
  }

  /** When the handler was called, or 0. Only for tasks that are timed. */
  startedAt(tag: number): number {
    return this.#starts[tag & 0xffff] ?? 0
  }

  #nextGeneration(slot: number): number {
    const generation = ((this.#generations[slot] ?? 0) + 1) & 0xffff
    this.#generations[slot] = generation
    return generation
  }

  // For threads.

  /** T1. @returns false if the task was cancelled, so that the item is to be skipped */
  take(tag: number, thread: number): boolean {
    return this.#move(tag, TaskState.Queued, (thread << 4) | TaskState.Taken)
  }

  /** T1 and T3 at once. @returns false if the task was cancelled */
  takeAndStart(tag: number, thread: number): boolean {
    return this.#move(tag, TaskState.Queued, (thread << 4) | TaskState.Running)
  }

  /** Whether this thread has the task and has not started it. Not when it was cancelled. */
  isTakenBy(tag: number, thread: number): boolean {
    const word = (tag & 0xffff0000) | (thread << 4) | TaskState.Taken
    return Atomics.load(this.#words, tag & 0xffff) === word
  }

  /** T3. @returns false if the task was cancelled */
  start(tag: number, thread: number): boolean {
    const from = (thread << 4) | TaskState.Taken
    return this.#move(tag, from, (thread << 4) | TaskState.Running)
  }

  /** Says when a run began that is timed. After T3: before it the slot may be another task's. */
  noteStart(tag: number, startedAt: number): void {
    this.#starts[tag & 0xffff] = startedAt
  }

  #move(tag: number, from: number, to: number): boolean {
    const generation = tag & 0xffff0000
    const expected = generation | from
    const slot = tag & 0xffff
    return Atomics.compareExchange(this.#words, slot, expected, generation | to) === expected
  }

  /**
   * Whether the pool has asked this run to stop: one atomic load. A tag whose slot serves another task by now
   * has ended, and is told to stop too.
   */
  isCancelled(tag: number): boolean {
    const word = Atomics.load(this.#words, tag & 0xffff)
    return (word & cancelBit) !== 0 || ((word ^ tag) & 0xffff0000) !== 0
  }
}
