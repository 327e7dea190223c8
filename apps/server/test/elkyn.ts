import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'

// Each test starts processes, on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))

export interface RunOptions {
  /** Given on standard input, which is closed behind it. */
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  /** Largest file that it may write, in KiB. Default: any. */
  readonly fileMaxKiB?: number
}

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the real command, with none of the variables it knows from outside. */
export function spawnElkyn(
  args: readonly string[],
  { env = {}, fileMaxKiB }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:ELKYN|VITEST|NODE)_?/.test(name),
  )
  const command = [process.execPath, cli, ...args]
  // A disk that fails, as far as the process can tell.
  if (fileMaxKiB !== undefined)
    command.unshift('bash', '-c', `ulimit -f ${fileMaxKiB}; exec "$@"`, '-')
  const [program = '', ...rest] = command
  return spawn(program, rest, {
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env },
  })
}

/** Runs the real command to its end. */
export async function elkyn(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawnElkyn(args, options)
  // It may end without having read everything.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input)
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    closed(child),
  ])
  return { code: child.exitCode, stdout, stderr }
}

/** Waits for the end of a process and of its output. */
export async function closed(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await once(child, 'close')
}

/** A running `elkyn serve`. Disposing kills it. */
export class RunningServer implements AsyncDisposable {
  readonly url: string
  readonly child: ChildProcessWithoutNullStreams
  readonly log: ServerLog

  /** Starts a server on a free port and waits for the line that says where it listens. */
  static async start(
    folder: string,
    args: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<RunningServer> {
    const child = spawnElkyn(['serve', '--port', '0', '--data', folder, ...args], options)
    const log = new ServerLog(child.stderr)
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /^Elkyn DB listening on (https?:\S+)$/.exec(line)?.[1]
      if (url !== undefined) return new RunningServer(child, url, log)
    }
    throw new Error(`The server did not start: ${log.text}`)
  }

  private constructor(child: ChildProcessWithoutNullStreams, url: string, log: ServerLog) {
    this.child = child
    this.url = url
    this.log = log
  }

  /** Waits until the server has logged a message so many times. */
  async logged(message: string, times = 1): Promise<void> {
    await this.log.waitFor(`"msg":"${message}"`, times)
  }

  /** The process of the server, which another one supervises, after so many starts. */
  async pid(starts = 1): Promise<number> {
    await this.logged('listening', starts)
    const pids = [...this.log.text.matchAll(/"pid":(\d+).*"msg":"listening"/g)]
    return Number(pids[starts - 1]?.[1])
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<RunResult> {
    this.child.kill(signal)
    await closed(this.child)
    return { code: this.child.exitCode, stdout: '', stderr: this.log.text }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}

/** What a server has written to standard error so far. */
class ServerLog {
  text = ''
  readonly #stream: Readable

  constructor(stream: Readable) {
    this.#stream = stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => (this.text += chunk))
  }

  async waitFor(part: string, times: number): Promise<void> {
    while (this.text.split(part).length <= times) await once(this.#stream, 'data')
  }
}
