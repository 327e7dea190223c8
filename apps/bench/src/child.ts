import { fork } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** A program of this folder in a process of its own, which answers one message at a time. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  /** The next message of the child. Rejects when the child ends instead. */
  answer(): Promise<unknown>
  /** Sends a message and waits for the answer. */
  ask(message: object | string): Promise<unknown>
}

/**
 * Starts a module of `src` with one argument, which it finds with {@link jobOfParent}. Disposing
 * tells it to end by disconnecting, and waits until it has.
 *
 * @param flags More of them for Node.
 */
export function startChild(module: string, job: object, flags: readonly string[] = []): Child {
  const program = fileURLToPath(new URL(module, import.meta.url))
  const child = fork(program, [JSON.stringify(job)], {
    execArgv: ['--expose-gc', ...flags, ...profilingFlags()],
    // Standard output is for the table; AceBase greets there.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const ended = exited.then(([code]): never => {
    throw new Error(`The process ${module} ended with code ${String(code)}`)
  })
  // Disposing waits for the exit itself.
  ended.catch(() => {})
  const answer = async (): Promise<unknown> => {
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [unknown]
    return message
  }
  return {
    pid: child.pid!,
    answer,
    async ask(message) {
      child.send(message)
      return answer()
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

/** What {@link startChild} was given, in the child. */
export function jobOfParent(): unknown {
  return JSON.parse(process.argv[2] ?? '')
}

/** Answers the parent, in the child. */
export function tellParent(message: object): void {
  process.send?.(message)
}

/** `BENCH_PROFILE=FOLDER` leaves a CPU profile of each process there. */
function profilingFlags(): string[] {
  const folder = process.env['BENCH_PROFILE']
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]
}
