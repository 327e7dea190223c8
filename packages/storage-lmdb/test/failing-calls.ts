import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { programPath } from './program.ts'

const source = programPath('failing-calls').replace(/ts$/, 'c')

/** Whether `failing-calls.c` can be built here: not without a C compiler, or with another C library. */
export const canBuild: boolean =
  process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0

/** Builds `failing-calls.c` into a folder. @returns the library to be loaded before others. */
export function buildFailingCalls(folder: string): string {
  const library = join(folder, 'failing-calls.so')
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  if (status !== 0) throw new Error(String(stderr))
  return library
}
