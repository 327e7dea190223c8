import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** A program of `test/programs` in a process of its own, which does not outlive the block that ran it. */
export interface Program extends AsyncDisposable {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  /** The next line that it prints; `undefined` at the end of its output. */
  line(): Promise<string | undefined>
  /** Ends its input. @returns its exit code, when it has ended. */
  finish(): Promise<number | null>
  /** Ends it without a chance to clean up. */
  kill(): Promise<void>
}

export function programPath(name: string): string {
  return fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url))
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** A command with its arguments that runs the program, such as `strace`. */
  readonly under?: readonly string[]
  /** A file for what it says about errors. Default: it is shown. */
  readonly errors?: string
}

export function runProgram(
  name: string,
  args: readonly string[],
  { env = {}, under = [], errors }: ProgramOptions = {},
): Program {
  const [command = '', ...rest] = [...under, process.execPath, programPath(name), ...args]
  const file = errors === undefined ? undefined : openSync(errors, 'w')
  const child = spawn(command, rest, {
    stdio: ['pipe', 'pipe', file ?? 'inherit'],
    env: { ...process.env, ...env },
  }) as Program['process']
  if (file !== undefined) closeSync(file)
  child.stdin.on('error', () => {})
  const exit = once(child, 'exit') as Promise<[code: number | null]>
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const kill = async () => {
    child.kill('SIGKILL')
    await exit
  }
  return {
    process: child,
    async line() {
      const { value, done } = await lines.next()
      return done === true ? undefined : value
    },
    async finish() {
      child.stdin.end()
      const [code] = await exit
      return code
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
