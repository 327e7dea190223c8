import { constants } from 'node:os'
import process from 'node:process'

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export type StopSignal = (typeof stopSignals)[number]

/**
 * Two signals of one kind within this time are one: `timeout` signals a process and then its whole group,
 * and one Ctrl-C reaches a program that npm runs from the terminal and from npm.
 */
const sameSignalMs = 300

/** The exit code of a process that a signal ended, as shells give it. */
export function signalExitCode(signal: StopSignal): number {
  return 128 + constants.signals[signal]
}

/** The request to stop that a terminal or a supervisor sends. */
export interface StopRequest extends Disposable {
  /** Aborted by the first signal, whose name is the reason. */
  readonly signal: AbortSignal
  /**
   * Aborts as a signal does that came another way. Not counted as one: a terminal, or systemd, sends
   * each signal to all processes, and so the same one may come a second time from a supervisor.
   */
  stop(reason: StopSignal): void
}

/**
 * Turns the first signal to stop into an abort, so that the work can end cleanly. A second one
 * ends the process at once. Disposing gives the signals their usual meaning back.
 */
export function listenForStop(): StopRequest {
  const controller = new AbortController()
  let first: { readonly signal: StopSignal; readonly time: number } | undefined
  const onSignal = (signal: StopSignal): void => {
    const time = performance.now()
    if (first === undefined) {
      first = { signal, time }
      controller.abort(signal)
    } else if (signal !== first.signal || time - first.time > sameSignalMs) {
      process.exit(signalExitCode(signal))
    }
  }
  for (const name of stopSignals) process.on(name, onSignal)
  return {
    signal: controller.signal,
    stop: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      for (const name of stopSignals) process.off(name, onSignal)
    },
  }
}

/**
 * Does a last thing before a signal ends the process, as it would have done without. Disposing gives the signals
 * their usual meaning back.
 */
export function beforeSignalEnds(clean: () => void): Disposable {
  const onSignal = (signal: StopSignal): void => {
    clean()
    process.exit(signalExitCode(signal))
  }
  for (const name of stopSignals) process.on(name, onSignal)
  return {
    [Symbol.dispose]() {
      for (const name of stopSignals) process.off(name, onSignal)
    },
  }
}
