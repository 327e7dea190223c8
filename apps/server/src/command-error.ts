import process from 'node:process'

/**
 * What the process ends with. Part of the contract of the command: the README lists them, scripts
 * rely on them. A command that a signal ended gives 128 and the number of the signal, as shells do.
 */
export const exitCodes = {
  ok: 0,
  /** The work was tried and failed, or was refused. */
  failed: 1,
  /** The command line or the environment asks for something that does not exist. */
  usage: 2,
  /** The server, the port or the data folder cannot be had. */
  unavailable: 3,
} as const

export type FailureKind = Exclude<keyof typeof exitCodes, 'ok'>

export interface CommandErrorOptions extends ErrorOptions {
  /** The way out, shown on lines of its own. */
  readonly hint?: string | undefined
  /** Default: that of the kind. */
  readonly exitCode?: number
  /** What a server answered with, if one did. */
  readonly status?: number | undefined
}

/** A failure that is shown to the user as a message, without a stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** What the process ends with. */
  readonly exitCode: number
  readonly hint: string | undefined
  readonly status: number | undefined

  constructor(kind: FailureKind, message: string, options: CommandErrorOptions = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? exitCodes[kind]
    this.hint = options.hint
    this.status = options.status
  }
}

/** Shows a failure on standard error. @returns the exit code. */
export function reportError({ message, hint, exitCode }: CommandError): number {
  process.stderr.write(`error: ${message}\n${hint === undefined ? '' : `${hint}\n`}`)
  return exitCode
}

/** The code of a failed system call, such as `ENOENT`; also when it is hidden in the cause, or the first of several that failed. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('syscall' in error && 'code' in error) return String(error.code)
  // Of each address of a host, where it has several.
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : []
  return systemErrorCode(first ?? error.cause)
}
