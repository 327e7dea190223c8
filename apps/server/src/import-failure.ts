import { stat } from 'node:fs/promises'
import { TreeError } from '@elkyn/tree'
import { byteOffset } from './byte-offset.ts'
import { CommandError, exitCodes } from './command-error.ts'
import type { ImportState } from './import-document.ts'
import { readInput } from './json-input.ts'
import { shellWord } from './shell-word.ts'
import { signalExitCode } from './signals.ts'
import type { StopSignal } from './signals.ts'

export interface FailedImport {
  readonly file: string
  readonly state: ImportState
  /** Aborted by the signal that stopped the import, if one did. */
  readonly stop: AbortSignal
}

/** What to tell the user about an import that failed: why, and how far it came. */
export async function importFailure(error: unknown, failed: FailedImport): Promise<unknown> {
  const { file, stop } = failed
  const outcome = outcomeOf(error, failed)
  if (stop.aborted) {
    const signal = stop.reason as StopSignal
    const exitCode = signalExitCode(signal)
    return new CommandError('failed', `Import stopped by ${signal}`, { exitCode, hint: outcome })
  }
  if (error instanceof TreeError) {
    const message = `Cannot import ${file}: ${error.message}${await bytePlace(file, error)}`
    const hint = error.code === 'ERR_INVALID_KEY' ? `${escapeHint}\n${outcome}` : outcome
    return new CommandError('failed', message, { cause: error, hint })
  }
  if (!(error instanceof CommandError) || error.exitCode === exitCodes.usage) return error
  const hint = error.hint === undefined ? outcome : `${error.hint}\n${outcome}`
  return new CommandError('failed', error.message, { cause: error, exitCode: error.exitCode, hint })
}

const escapeHint = 'With --escape-keys, keys that a tree cannot hold are percent-encoded.'

function outcomeOf(error: unknown, { state }: FailedImport): string {
  if (state.next !== undefined) {
    const next = shellWord(state.next)
    return `Stored is all before ${state.next}. To go on, repeat the command with --resume-from ${next}`
  }
  return error instanceof CommandError && isUnknown(error)
    ? 'Nothing is known to be stored: repeat the command.'
    : 'Nothing was stored.'
}

/** Whether the request may have been carried out all the same. */
function isUnknown({ exitCode, status, message }: CommandError): boolean {
  // The connection broke off.
  if (exitCode === exitCodes.unavailable) return true
  if (status === undefined || (status >= 300 && status < 500)) return false
  // A proxy that waited no longer knows nothing, and a server may have failed when all was stored.
  return !message.endsWith('Nothing was written')
}

/** The place as a number of bytes, for tools that find those; '' where it cannot be known. */
async function bytePlace(file: string, { line, column }: TreeError): Promise<string> {
  if (file === '-' || line === undefined || column === undefined) return ''
  // Only a file can be read a second time: to open a pipe again waits for a writer forever.
  if (!(await stat(file)).isFile()) return ''
  const offset = await byteOffset(readInput(file), { line, column })
  return offset === undefined ? '' : ` (byte ${offset})`
}
