import { formatBytes } from './format-bytes.ts'

/** The part of a terminal stream that a progress line needs. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface ProgressOptions {
  /** What is going on, in one word. */
  readonly label: string
  /** Number of bytes there will be; `undefined` when nobody knows. */
  readonly totalBytes?: number | undefined
  /** Milliseconds since any moment. Default: `performance.now`. */
  readonly now?: () => number
}

const redrawMs = 100
const barWidth = 16
const eraseLine = '\r\u001b[K'

/** One line on a terminal that says how far a transfer is. Writes nothing to anything else. */
export class Progress {
  readonly #stream: ProgressStream
  readonly #options: ProgressOptions
  readonly #now: () => number
  readonly #start: number
  /** How many went by so far. */
  bytes = 0
  /** When the line was drawn; -Infinity while there is none. */
  #drawn = -Infinity

  constructor(stream: ProgressStream, options: ProgressOptions) {
    this.#stream = stream
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#start = this.#now()
  }

  /** Milliseconds since it was made. */
  get elapsedMs(): number {
    return this.#now() - this.#start
  }

  /** Passes blocks on and counts their bytes. The line is gone when they end. */
  async *watch(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const block of blocks) {
        this.bytes += block.length
        this.#draw()
        yield block
      }
    } finally {
      this.#clear()
    }
  }

  #draw(): void {
    if (this.#stream.isTTY !== true) return
    const now = this.#now()
    if (now - this.#drawn < redrawMs) return
    this.#drawn = now
    // Some terminals say that they have no columns.
    const columns = this.#stream.columns || 80
    this.#stream.write(eraseLine + this.#line().slice(0, columns - 1))
  }

  #clear(): void {
    if (this.#drawn !== -Infinity) this.#stream.write(eraseLine)
    this.#drawn = -Infinity
  }

  #line(): string {
    const { bytes } = this
    const { label, totalBytes } = this.#options
    const bytesPerMs = bytes / Math.max(this.elapsedMs, 1)
    const rate = `${formatBytes(bytesPerMs * 1000)}/s`
    if (totalBytes === undefined) return `${label}  ${formatBytes(bytes)}  ${rate}`
    const share = totalBytes === 0 ? 1 : Math.min(bytes / totalBytes, 1)
    const full = Math.round(share * barWidth)
    const bar = '█'.repeat(full) + '░'.repeat(barWidth - full)
    const percent = `${Math.floor(share * 100)}%`.padStart(4)
    const left =
      bytes === 0 ? '' : `  ${formatSeconds((totalBytes - bytes) / bytesPerMs / 1000)} left`
    return `${label}  ${bar} ${percent}  ${formatBytes(bytes)} of ${formatBytes(totalBytes)}  ${rate}${left}`
  }
}

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(Math.max(seconds, 0))
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
