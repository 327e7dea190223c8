/*
 * When lmdb 3.5.6 cannot open a database, for what reason ever, it frees a part of its memory and then uses it
 * (`openEnv` and `closeEnv` in its `env.cpp`), which mostly ends the process. So this finds out before what could be in
 * its way. It does not open a `lock.mdb` that is there: closing that would give up the locks which this process has on
 * it where another thread has the folder open.
 */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StorageError } from './errors.ts'
import { messageOf } from './failures.ts'

/** What LMDB gives to the files that it makes, as far as the process lets it. */
const FILE_MODE = 0o664

/**
 * How many files it has open in the end, and on macOS its semaphores, with some to spare for what other threads open
 * meanwhile.
 */
const DESCRIPTORS = 10

/**
 * Looks whether LMDB can open its files in a folder that this process holds, and makes those that are missing.
 * @throws {StorageError} `ERR_FOLDER_INVALID`
 */
export function prepareFiles(path: string): void {
  try {
    for (const name of ['lock.mdb', 'data.mdb']) makeOrCheck(join(path, name))
    checkDescriptors(path)
  } catch (cause) {
    const message = `Cannot open "${path}": ${messageOf(cause)}`
    throw new StorageError('ERR_FOLDER_INVALID', message, { cause })
  }
}

function makeOrCheck(file: string): void {
  try {
    closeSync(openSync(file, 'wx', FILE_MODE))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    accessSync(file, constants.R_OK | constants.W_OK)
    if (!statSync(file).isFile()) throw new Error(`"${file}" is no file`, { cause: error })
  }
}

function checkDescriptors(path: string): void {
  const held: number[] = []
  try {
    while (held.length < DESCRIPTORS) held.push(openSync(path, 'r'))
  } finally {
    for (const descriptor of held) closeSync(descriptor)
  }
}
