import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/**
 * Runs a program in which a thread runs out of memory: of the ways to do that, V8
 * ends some with the thread and some with the process.
 * @returns what it has printed, or that the process is gone because of that.
 */
export function outputOf(program: URL, ...args: readonly string[]): string {
  const command = [fileURLToPath(program), ...args]
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
  })
  const isAborted = signal !== null || status === 134
  return isAborted && /out of memory/i.test(stderr) ? processGone : stdout
}

export const processGone = 'process gone'
