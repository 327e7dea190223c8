import { maxWholeBytes } from './framed-events.ts'
import { maxChanges } from './stream-job.ts'
import type { StreamJob, StreamResult } from './stream-job.ts'
import type { StreamTarget } from './stream-target.ts'

/** The pieces behind one that was cut. */
interface Begun {
  readonly piece: Promise<StreamResult | undefined>
  /** The one behind that, if `piece` ends where it is planned to. */
  readonly next: Promise<StreamResult | undefined>
  /** How many changes a piece goes through. */
  readonly most: number
  readonly timer: NodeJS.Timeout
}

/** For how many at a time it is read ahead: each has two pieces of memory. */
const maxAhead = 4

/** For how long a piece is kept for a client that has no room for it, in milliseconds. */
const keptMs = 1000

/**
 * Reads what clients have missed while what was read before it is sent: a piece is asked for when the one before it is
 * there, and the one behind it as well, which begins so many changes further on. Else the thread that reads and the one
 * that sends wait for each other in turn.
 */
export class ReadAhead {
  readonly #run: (job: StreamJob) => Promise<StreamResult>
  readonly #begun = new Map<string, Begun>()

  /** @param run Does a job now. */
  constructor(run: (job: StreamJob) => Promise<StreamResult>) {
    this.#run = run
  }

  /**
   * Does a job, or gives what was read ahead for it. That may be older than the call, so that it is always cut: who
   * reads on from there gets what has come since.
   */
  async run(job: StreamJob): Promise<StreamResult> {
    const { target, since, wantsFramed } = job
    if (wantsFramed !== true || since === undefined) return this.#run(job)
    const begun = this.#take(keyOf(target, since))
    const piece = await begun?.piece
    const result = piece ?? (await this.#run(job))
    const isAsPlanned = piece?.isCut === true && piece.changes === begun?.most
    if (begun !== undefined && !isAsPlanned) drop(begun.next)
    if (result.isCut === true) this.#begin(target, result, isAsPlanned ? begun : undefined)
    return piece === undefined ? result : { ...result, isCut: true }
  }

  #begin(target: StreamTarget, result: StreamResult, planned: Begun | undefined): void {
    const { id, framed, changes } = result
    if (id === undefined || framed === undefined || changes === undefined) return
    if (this.#begun.size >= maxAhead) {
      if (planned !== undefined) drop(planned.next)
      return
    }
    const most = planned?.most ?? planOf(changes, framed.bytes.length)
    const job: StreamJob = { target, since: id, wantsFramed: true, most }
    const key = keyOf(target, id)
    drop(this.#take(key))
    this.#begun.set(key, {
      piece: planned?.next ?? this.#try(job),
      next: this.#try({ ...job, skip: most - 1 }),
      most,
      timer: setTimeout(() => drop(this.#take(key)), keptMs).unref(),
    })
  }

  /** `undefined` where it has to be read by who needs it. */
  async #try(job: StreamJob): Promise<StreamResult | undefined> {
    try {
      const result = await this.#run(job)
      return result.isLost === true ? undefined : result
    } catch {
      return undefined
    }
  }

  #take(key: string): Begun | undefined {
    const begun = this.#begun.get(key)
    if (begun === undefined) return undefined
    clearTimeout(begun.timer)
    this.#begun.delete(key)
    return begun
  }
}

/** How many changes make a piece, if they are like these or a little larger. */
function planOf(changes: number, bytes: number): number {
  const most = Math.floor((changes * maxWholeBytes * 0.94) / Math.max(bytes, 1))
  return Math.min(Math.max(most, 2), maxChanges)
}

/** Gives back what nobody is sent. */
function drop(unwanted: Begun | Begun['piece'] | undefined): void {
  if (unwanted === undefined) return
  const pieces = unwanted instanceof Promise ? [unwanted] : [unwanted.piece, unwanted.next]
  for (const piece of pieces) void piece.then((result) => result?.framed?.release?.())
}

function keyOf(target: StreamTarget, since: string): string {
  return `${since} ${JSON.stringify(target)}`
}
