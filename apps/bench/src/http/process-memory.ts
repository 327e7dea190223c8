import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/** What Linux says of the memory of a process, in bytes. */
export interface ProcessMemory {
  /** In memory now, pages of files and such that others share included. */
  readonly rss: number
  /** The same, with shared pages divided among those who share them. */
  readonly pss: number
  /** Of `rss`, what no file lies behind. */
  readonly anonymous: number
}

export function memoryOf(pid: number): ProcessMemory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return {
    rss: kilobytes(text, 'Rss'),
    pss: kilobytes(text, 'Pss'),
    anonymous: kilobytes(text, 'Anonymous'),
  }
}

/** Private memory by what lies behind it: a file of that name, `[heap]`, or nothing. In bytes. */
export function memoryByMapping(pid: number): ReadonlyMap<string, number> {
  const totals = new Map<string, number>()
  let name = ''
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/.exec(line)
    if (mapping !== null) name = mapping[1]!.split('/').at(-1)! || 'anonymous'
    else if (line.startsWith('Pss:'))
      totals.set(name, (totals.get(name) ?? 0) + kilobytes(line, 'Pss'))
  }
  return totals
}

/** The most that a process holds of memory while this runs. */
export class MemoryPeak {
  readonly #pid: number
  #anonymous = 0
  #isWatching = true
  readonly #watching: Promise<void>

  constructor(pid: number) {
    this.#pid = pid
    // Sets the system's own mark, VmHWM, back to what is there now.
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    this.#watching = this.#watch()
  }

  /** Ends the watch. The mark of `rss` is exact, that of `anonymous` the most of 50 looks a second. */
  async stop(): Promise<{ readonly rss: number; readonly anonymous: number }> {
    this.#isWatching = false
    await this.#watching
    return { rss: kilobytes(statusOf(this.#pid), 'VmHWM'), anonymous: this.#anonymous }
  }

  async #watch(): Promise<void> {
    while (this.#isWatching) {
      const status = statusOf(this.#pid)
      const anonymous = kilobytes(status, 'RssAnon') + kilobytes(status, 'RssShmem')
      this.#anonymous = Math.max(this.#anonymous, anonymous)
      await setTimeout(20)
    }
  }
}

function statusOf(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8')
}

function kilobytes(text: string, name: string): number {
  const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? []
  return Number(value ?? 0) * 1024
}
