import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { CommandError, exitCodes, reportError } from './command-error.ts'
import { RestartPolicy } from './restart-policy.ts'
import type { RestartPolicyOptions } from './restart-policy.ts'
import { listenForStop } from './signals.ts'
import type { StopRequest } from './signals.ts'
import { supervisionVariable } from './supervisor.ts'
import type { ListeningFacts, StartFacts, StopOrder } from './supervisor.ts'

/** How a process ended: one of the two is set. */
interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * Runs a server in a process of its own, and starts it again whenever it crashes. One that fails
 * before it ever listened would fail again, and ends this as it ended itself. A signal to stop is
 * passed on, and waits for the server; a second one ends both at once.
 *
 * Loads neither database nor server, so that it costs little to have it.
 *
 * @param command Program and arguments of the server.
 * @returns the exit code.
 */
export async function supervise(
  command: readonly string[],
  restart: RestartPolicyOptions = {},
): Promise<number> {
  using stop = listenForStop()
  const policy = new RestartPolicy(restart)
  let listening: ListeningFacts | undefined
  for (let restarts = 0; ; restarts++) {
    const facts = { restarts, ...(listening === undefined ? {} : { port: listening.port }) }
    const startedAt = performance.now()
    const server = start(command, facts)
    // Where nobody reads it any more, there is nobody to tell. Only now: the server does not wait for it.
    if (restarts === 0) process.stderr.on('error', () => {})
    server.on('message', (message) => (listening = message as ListeningFacts))
    const end = await ended(server, stop)
    if (stop.signal.aborted || end.code === 0) return exitCodeOf(end)
    if (listening === undefined) return failedStart(end)
    const pauseMs = policy.pauseAfter(performance.now() - startedAt)
    await logCrash(end, pauseMs, listening)
    if (pauseMs === undefined) return reportError(crashLoop(policy))
    // No timer would end it, were it not for the signal.
    await setTimeout(pauseMs, undefined, { signal: stop.signal }).catch(() => {})
    if (stop.signal.aborted) return 0
  }
}

function start([program = '', ...args]: readonly string[], facts: StartFacts): ChildProcess {
  return spawn(program, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [supervisionVariable]: JSON.stringify(facts) },
  })
}

async function ended(server: ChildProcess, { signal: stop }: StopRequest): Promise<ProcessEnd> {
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>()
  server.on('error', (error) => {
    // A process that is there ends later, and says so.
    if (server.pid !== undefined) return
    process.stderr.write(`error: Cannot start the server: ${error.message}\n`)
    resolve({ code: exitCodes.failed, signal: null })
  })
  server.on('exit', (code, signal) => resolve({ code, signal }))
  // Also when this process ends at once, for a second signal or a fault of its own.
  const kill = (): boolean => server.kill('SIGKILL')
  const passOn = (): void => {
    const order: StopOrder = { stop: stop.reason }
    server.send(order, () => {})
  }
  process.on('exit', kill)
  stop.addEventListener('abort', passOn)
  try {
    return await promise
  } finally {
    process.off('exit', kill)
    stop.removeEventListener('abort', passOn)
  }
}

function exitCodeOf({ code, signal }: ProcessEnd): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

function failedStart(end: ProcessEnd): number {
  // Who ended with a code has said why.
  if (end.signal !== null) {
    process.stderr.write(`error: ${end.signal} ended the server before it listened\n`)
  }
  return exitCodeOf(end)
}

async function logCrash(
  { code, signal }: ProcessEnd,
  pauseMs: number | undefined,
  { logLevel }: ListeningFacts,
): Promise<void> {
  // Loaded only here: most supervisors never have anything to say.
  const { createLog } = await import('./log.ts')
  const how = signal === null ? { code } : { signal }
  const log = createLog(logLevel, process.stderr)
  if (pauseMs === undefined) log.fatal(how, 'the server crashed')
  else log.error({ ...how, pauseMs }, 'the server crashed, starting it again')
}

function crashLoop({ maxQuickRuns, quickMs }: RestartPolicy): CommandError {
  const message = `The server crashed ${maxQuickRuns} times in a row, each time within ${quickMs / 1000} s`
  return new CommandError('failed', message, {
    hint: 'It was not started again. What it wrote above says why; --no-supervise shows one run alone.',
  })
}
