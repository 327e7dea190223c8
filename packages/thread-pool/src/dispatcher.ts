// The way of a task into the shared queue: a slot in the table, an item in the queue, or a place in the line while
// there is no room. Knows nothing of threads.
import { createWorkQueue } from '@elkyn/work-queue'
import type { WorkQueue } from '@elkyn/work-queue'
import { Fifo } from './fifo.ts'
import { FreeSlots } from './free-slots.ts'
import { ItemFlag, itemHeaderBytes, namedHandler, valueStart } from './messages.ts'
import { sparePlaces } from './options.ts'
import type { ResolvedOptions } from './options.ts'
import type { Task } from './task.ts'
import { TaskState, TaskTable } from './task-table.ts'
import { ValueKind, ValueWriter } from './value-codec.ts'

/** Items up to so many bytes are made in memory that is used again: a piece of 64 KiB of something larger is one. */
const largeScratchBytes = 80 * 1024

/** Sends tasks to whichever thread takes them. */
export class Dispatcher {
  readonly queue: WorkQueue
  readonly table: TaskTable
  readonly #free: FreeSlots
  readonly #tasks: (Task | undefined)[]
  readonly #onTimed: (task: Task) => void
  readonly #lines: Fifo<Task>[]
  #lined = 0
  readonly #writer = new ValueWriter()
  readonly #scratch: Buffer
  /** The same for larger items: made for each of them, they are what a pool leaves most of to collect. */
  #large: Buffer | undefined
  // Views of the scratch by length, so that sending a small task makes no object.
  readonly #views: Uint8Array[] = []
  readonly #largestItem: number
  readonly #enqueueOptions = { band: 0, tag: 0 }
  /** Index of each handler, where all threads know them by the same. */
  #handlers: Map<string, number> | undefined

  /** @param onTimed a task with a time limit has a slot: a thread can take it from now on */
  constructor(options: ResolvedOptions, onTimed: (task: Task) => void) {
    this.#onTimed = onTimed
    this.queue = createWorkQueue({
      capacity: options.queueCapacity,
      slotBytes: options.slotBytes,
      bands: options.priorities,
      arenaBytes: options.arenaBytes,
      maxParticipants: options.maxThreads + sparePlaces,
    })
    this.table = TaskTable.allocate(options.slots)
    this.#free = new FreeSlots(options.slots)
    this.#tasks = Array.from({ length: options.slots })
    const isLined = (task: Task): boolean => task.place === 'line'
    this.#lines = Array.from({ length: options.priorities }, () => new Fifo(isLined))
    this.#scratch = Buffer.alloc(this.queue.slotBytes)
    // One item must not fill the arena: beyond a quarter the port is as good.
    this.#largestItem = Math.min(
      this.queue.maxItemBytes,
      Math.max(this.queue.slotBytes, Math.floor(options.arenaBytes / 4)),
    )
  }

  /** Numbers the handlers, so that items carry an index; undefined: they carry names. */
  set handlers(names: readonly string[] | undefined) {
    this.#handlers = names && new Map(names.map((name, index) => [name, index]))
  }

  /** Tasks that no thread has taken; cancelled ones that a thread has to skip count. */
  get waiting(): number {
    return this.queue.depth + this.#lined
  }

  /** Copies the value of a task that is sent later. @throws what reading it throws */
  copy(task: Task): void {
    // What is no object cannot change.
    if (typeof task.value !== 'object') return
    task.item = this.#ownItem(this.#encode(task, false))
  }

  /**
   * Sends a new task.
   * @param thread one that is idle, or -1: a value that needs the port is for it, with no round trip
   * @returns false if nothing was sent: the caller is to post the task to that thread
   * @throws what reading the value throws
   */
  send(task: Task, thread: number): boolean {
    const item = task.item ?? this.#encode(task, thread !== -1)
    // A string stays what it is, so that its item can be made again, which is rarely wanted.
    const isKept = task.retriesLeft > 0 && typeof task.value !== 'string'
    if (isKept || task.port !== 'no') task.item ??= this.#ownItem(item)
    if (thread !== -1 && task.port !== 'no' && this.#assign(task, thread)) return false
    const line = this.#lines[task.priority]
    if (line?.size === 0 && this.#enqueue(task, task.item ?? item)) {
      this.#forgetItem(task)
      return true
    }
    task.item ??= this.#ownItem(item)
    this.#line(task)
    return true
  }

  /** Puts the item of a task that was given to a thread into the queue as well, for the sake of being heard. */
  nudge(task: Task): void {
    if (task.item === undefined) return
    this.#enqueueOptions.band = task.priority
    this.#enqueueOptions.tag = task.tag
    this.queue.tryEnqueue(task.item, this.#enqueueOptions)
  }

  /** The item of a task that may have to be sent again; `undefined` if it may not. */
  itemOf(task: Task): Uint8Array | undefined {
    if (task.item !== undefined || task.retriesLeft === 0) return task.item
    return typeof task.value === 'string' ? new Uint8Array(this.#encode(task, true)) : undefined
  }

  /** Keeps the item of a task that a thread holds back, so that it can be sent again. */
  keep(tag: number, item: Uint8Array): void {
    const task = this.find(tag)
    if (task === undefined || task.isSettled) return
    if (this.table.state(tag) === TaskState.Taken) task.item ??= item
  }

  /** Sends again what a thread has died with: behind what is in the queue, and before all that waits in the line for room. */
  resend(task: Task): void {
    task.port = task.port === 'no' ? 'no' : 'asked for'
    this.release(task)
    if (task.item !== undefined && this.#enqueue(task, task.item)) return
    task.place = 'line'
    this.#lined++
    this.#lines[task.priority]?.unshift(task)
  }

  /** Wakes a thread that sleeps, if there is something in the queue. */
  wakeOne(): void {
    this.queue.cork()
    this.queue.uncork()
  }

  /** Moves from the line into the queue what has room there. */
  feed(): void {
    if (this.#lined === 0) return
    for (const line of this.#lines) {
      for (let task = line.peek(); task !== undefined; task = line.peek()) {
        if (task.place === 'line') {
          if (task.item === undefined || !this.#enqueue(task, task.item)) break
          this.#lined--
          this.#forgetItem(task)
        }
        line.shift()
      }
    }
  }

  /** The unfinished task of a tag. */
  find(tag: number): Task | undefined {
    const task = this.#tasks[tag & 0xffff]
    return task?.tag === tag ? task : undefined
  }

  /** Takes back a task that has not started. @returns false if it has */
  cancel(task: Task): boolean {
    if (task.place === 'line') {
      this.#lined--
      task.place = 'none'
      return true
    }
    if (task.place === 'none') return true
    if (!this.table.cancel(task.tag)) return false
    this.release(task)
    return true
  }

  /** Gives up the slot of a task that nobody has in hand. */
  release(task: Task): void {
    if (task.place !== 'slot') return
    const slot = task.tag & 0xffff
    this.#tasks[slot] = undefined
    this.#free.give(slot)
    task.place = 'none'
  }

  /** Tasks that have a slot. */
  *sent(): Generator<Task> {
    for (const task of this.#tasks) if (task !== undefined) yield task
  }

  /** All tasks that have not ended, those in the line last. */
  *all(): Generator<Task> {
    yield* this.sent()
    for (const line of this.#lines) {
      const tasks = line.clear()
      for (const task of tasks) line.push(task)
      for (const task of tasks) if (task.place === 'line') yield task
    }
  }

  /** Whether no thread has taken the task. */
  isWaiting(task: Task): boolean {
    if (task.place !== 'slot') return task.place === 'line'
    return this.table.state(task.tag) === TaskState.Queued
  }

  /** The task in the queue that was accepted first. Looks at all of them. */
  longestWaiting(): Task | undefined {
    let longest: Task | undefined
    for (const task of this.sent()) {
      if (longest !== undefined && task.since >= longest.since) continue
      if (this.isWaiting(task)) longest = task
    }
    return longest
  }

  /** An item that stays as it is when the next one is made. */
  #ownItem(item: Uint8Array): Uint8Array {
    const isScratch = item.length <= Math.max(this.#scratch.length, largeScratchBytes)
    // Copied by a constructor: what `slice()` of a Buffer gives is no copy.
    return isScratch ? new Uint8Array(item) : item
  }

  /** Keeps the item of a task in the queue only where it may be sent once more. */
  #forgetItem(task: Task): void {
    if (task.retriesLeft === 0 && task.port === 'no') task.item = undefined
  }

  #line(task: Task): void {
    task.place = 'line'
    this.#lined++
    this.#lines[task.priority]?.push(task)
  }

  #assign(task: Task, thread: number): boolean {
    const slot = this.#free.take()
    if (slot === -1) return false
    task.tag = this.table.openFor(slot, isTimed(task), thread)
    task.place = 'slot'
    this.#tasks[slot] = task
    if (isTimed(task)) this.#onTimed(task)
    return true
  }

  #enqueue(task: Task, item: Uint8Array): boolean {
    const slot = this.#free.take()
    if (slot === -1) return false
    const { place } = task
    const tag = this.table.open(slot, isTimed(task))
    this.#enqueueOptions.band = task.priority
    this.#enqueueOptions.tag = tag
    // In the table before it is in the queue: a thread may answer at once.
    task.tag = tag
    task.place = 'slot'
    this.#tasks[slot] = task
    if (this.queue.tryEnqueue(item, this.#enqueueOptions)) {
      if (isTimed(task)) this.#onTimed(task)
      return true
    }
    this.table.cancel(tag)
    this.release(task)
    // Where it was: in the line, if that is where it comes from.
    task.place = place
    return false
  }

  #encode(task: Task, isAlone: boolean): Uint8Array {
    const writer = this.#writer
    let kind: ValueKind = ValueKind.Port
    let byteLength = 0
    const isMoved = task.transferList !== undefined && task.transferList.length > 0
    if (!isMoved) {
      writer.prepare(task.value, isAlone)
      ;({ kind, byteLength } = writer)
    }
    const index = this.#handlers?.get(task.name)
    const nameBytes = index === undefined ? 2 * task.name.length : 0
    const start = valueStart(nameBytes)
    if (kind === ValueKind.Port || start + byteLength > this.#largestItem) {
      writer.clear()
      kind = ValueKind.Port
      byteLength = 0
      task.port = 'asked for'
    }
    const memory = this.#itemMemory(start + byteLength)
    memory[0] = kind
    memory[1] = (isTimed(task) ? ItemFlag.Timed : 0) | (isMoved ? ItemFlag.Moved : 0)
    const handler = index ?? namedHandler + task.name.length
    memory[2] = handler & 0xff
    memory[3] = handler >>> 8
    if (nameBytes > 0) memory.write(task.name, itemHeaderBytes, nameBytes, 'utf16le')
    if (kind !== ValueKind.Port) writer.write(memory, start)
    if (memory.byteLength === start + byteLength) return memory
    return memory === this.#large
      ? memory.subarray(0, start + byteLength)
      : this.#view(start + byteLength)
  }

  #itemMemory(length: number): Buffer {
    if (length <= this.#scratch.length) return this.#scratch
    if (length > largeScratchBytes) return Buffer.allocUnsafeSlow(length)
    return (this.#large ??= Buffer.allocUnsafeSlow(largeScratchBytes))
  }

  #view(length: number): Uint8Array {
    return (this.#views[length] ??= new Uint8Array(
      this.#scratch.buffer,
      this.#scratch.byteOffset,
      length,
    ))
  }
}

/** Whether anybody asks when the task was started. */
function isTimed(task: Task): boolean {
  return task.timeoutMs !== Infinity
}
