import { randomUUID } from 'node:crypto'
import { createWriteStream, rmSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { chmod, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve as resolvePath } from 'node:path'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { CommandError, systemErrorCode } from './command-error.ts'
import { fileReason } from './file-reason.ts'
import { beforeSignalEnds } from './signals.ts'

type Blocks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Writes text to standard output and ends it with a line feed. */
export async function writeOutput(blocks: Blocks): Promise<void> {
  try {
    await pipeline(withLineFeed(blocks), process.stdout, { end: false })
  } catch (error) {
    const shown = writeError('standard output', error)
    // Who reads has seen enough, as in `elkyn export | head`.
    if (shown === error || systemErrorCode(error) !== 'EPIPE') throw shown
  }
}

/**
 * Writes JSON text to a file and ends it with a line feed. The file appears when it is complete:
 * until then it grows under another name, and what had this one stays. A link stays a link. What
 * is no file, such as a pipe, is written to as the text comes.
 */
export async function writeFile(file: string, blocks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    // What cannot be looked at says why when it is opened, where the source is ended too.
    const stats = await stat(file).catch(() => undefined)
    if (stats === undefined || stats.isFile()) {
      await replaceFile(await linkedFile(file), withLineFeed(blocks), stats)
    } else {
      await pipeline(withLineFeed(blocks), createWriteStream(file))
    }
  } catch (error) {
    throw writeError(file, error)
  }
}

/** @param replaced The file that is there. It may be for its owner alone, and so is the new one then. */
async function replaceFile(
  file: string,
  blocks: AsyncIterable<Uint8Array>,
  replaced: Stats | undefined,
): Promise<void> {
  const mode = (replaced?.mode ?? 0o666) & 0o777
  const unfinished = `${file}.${randomUUID()}.unfinished`
  using _ = beforeSignalEnds(() => rmSync(unfinished, { force: true }))
  try {
    await pipeline(blocks, createWriteStream(unfinished, { flags: 'wx', flush: true, mode }))
    // The mask of the process may have taken something from it.
    if (replaced !== undefined) await chmod(unfinished, mode)
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

/** The file that a path leads to over symbolic links, also when it is not there yet. */
async function linkedFile(file: string): Promise<string> {
  try {
    return await realpath(file)
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') return file
  }
  const link = await readlink(file).catch(() => undefined)
  return link === undefined ? file : linkedFile(resolvePath(dirname(file), link))
}

/** The error to show when a write failed; that of what was to be written is returned as it is. */
function writeError(to: string, error: unknown): unknown {
  const code = systemErrorCode(error)
  if (code === undefined || error instanceof CommandError) return error
  const reason = fileReason(code, 'write')
  return new CommandError('failed', `Cannot write ${to}: ${reason}`, { cause: error })
}

async function* withLineFeed(blocks: Blocks): AsyncGenerator<Uint8Array> {
  const lineFeed = 0x0a
  let last: number | undefined
  for await (const block of blocks) {
    last = block.at(-1) ?? last
    yield block
  }
  // Indented text comes with one.
  if (last !== lineFeed) yield Uint8Array.of(lineFeed)
}
