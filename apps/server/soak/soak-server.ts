import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { wantedMessage } from './faulty-store.ts'
import type { Findings } from './findings.ts'

/** `elkyn serve`, or a server whose store fails as it is asked to. */
export type ServerKind = 'elkyn' | 'faulty'

const crash = 'the server crashed, starting it again'

// Messages of level error and above that a server may log. Everything else is a failure.
const expectedErrors: Readonly<Record<ServerKind, ReadonlySet<string>>> = {
  elkyn: new Set([crash]),
  faulty: new Set([
    crash,
    'A request failed',
    'A read could not be answered',
    'An answer broke off',
    'The writer died with a request in hand',
    // What a thread had in hand that has died: a large answer to a write, a large value of a stream, a new listener.
    'What was written could not be read',
    'A stream was ended: it could not be read on',
    'Changes cannot be followed: it is tried again',
    'A thread that reads has died',
    'The thread that writes has died',
    'The database cannot be used any more in this process',
  ]),
}

function commandOf(kind: ServerKind, folder: string): readonly string[] {
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  return kind === 'faulty'
    ? [file('faulty-server.ts'), folder]
    : [file('../src/cli.ts'), 'serve', '--port', '0', '--metrics', '--data', folder]
}

/** A server in processes of its own: the one that serves, and the one that starts it again. */
export class SoakServer {
  readonly url: string
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #log: ServerLog

  static async start(kind: ServerKind, folder: string, findings: Findings): Promise<SoakServer> {
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(?:ELKYN|VITEST|NODE)_?/.test(name),
    )
    const child = spawn(process.execPath, commandOf(kind, folder), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: Object.fromEntries(own),
    })
    const kill = (): boolean => child.kill('SIGKILL')
    process.on('exit', kill)
    child.on('exit', () => process.off('exit', kill))
    const log = new ServerLog(child.stderr, kind, findings)
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /^Elkyn DB listening on (http:\S+)$/.exec(line)?.[1]
      if (url === undefined) continue
      await log.listening(1)
      return new SoakServer(child, url, log)
    }
    throw new Error(`The server did not start: ${findings.failures.join('\n')}`)
  }

  private constructor(
    child: ChildProcessByStdio<null, Readable, Readable>,
    url: string,
    log: ServerLog,
  ) {
    this.url = url
    this.#child = child
    this.#log = log
  }

  /** The process that serves at this moment, or did last. */
  get pid(): number {
    return this.#log.pid
  }

  get starts(): number {
    return this.#log.starts
  }

  get absences(): readonly Absence[] {
    return this.#log.absences
  }

  /** Kills the process that serves; resolves when another one listens. */
  async kill(): Promise<void> {
    const { starts, pid } = this.#log
    process.kill(pid, 'SIGKILL')
    await this.#log.listening(starts + 1)
  }

  /** Asks it to stop. Resolves with its exit code. */
  async stop(): Promise<number | null> {
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGTERM')
    await closed
    return this.#child.exitCode
  }

  /** Ends everything at once. */
  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL')
  }
}

/** The time from the log line of a crash to the one that the next server listens, in milliseconds. */
export interface Absence {
  readonly ms: number
  /** How long the supervisor waited in it, because the server had crashed a short time before. */
  readonly pauseMs: number
}

interface LogLine {
  readonly level: string
  readonly time: string
  readonly msg: string
  readonly pid?: number
  readonly pauseMs?: number
  readonly err?: { readonly message?: string }
}

/** What a server writes to standard error, of which each line is looked at. */
class ServerLog {
  pid = 0
  starts = 0
  readonly absences: Absence[] = []
  readonly #kind: ServerKind
  readonly #findings: Findings
  #crashedAt = 0
  #pauseMs = 0
  /** In what Node.js writes when a process aborts itself. */
  #isTrace = false
  #onStart: (() => void) | undefined

  constructor(stream: Readable, kind: ServerKind, findings: Findings) {
    this.#kind = kind
    this.#findings = findings
    createInterface({ input: stream }).on('line', (line) => this.#read(line))
  }

  /** Resolves when so many servers have listened. */
  async listening(starts: number): Promise<void> {
    while (this.starts < starts) {
      await new Promise<void>((resolve) => {
        this.#onStart = resolve
      })
    }
  }

  #read(text: string): void {
    if (!text.startsWith('{')) {
      this.#isTrace ||= this.#kind === 'faulty' && text.includes('Native stack trace')
      if (text !== '' && !this.#isTrace) this.#findings.fail(`Written to standard error: ${text}`)
      return
    }
    this.#isTrace = false
    const { level, msg, time, pid, pauseMs = 0, err } = JSON.parse(text) as LogLine
    if (level !== 'info') this.#findings.count(`logged: ${msg}`)
    const isWanted = msg !== 'A request failed' || err?.message === wantedMessage
    const isExpected = isWanted && expectedErrors[this.#kind].has(msg)
    if ((level === 'error' || level === 'fatal') && !isExpected) {
      this.#findings.fail(`Logged: ${text.slice(0, 2000)}`)
    }
    if (msg === crash) {
      this.#crashedAt = Date.parse(time)
      this.#pauseMs = pauseMs
    }
    if (msg !== 'listening' || pid === undefined) return
    if (this.starts > 0) {
      this.absences.push({ ms: Date.parse(time) - this.#crashedAt, pauseMs: this.#pauseMs })
    }
    this.pid = pid
    this.starts++
    this.#onStart?.()
  }
}
