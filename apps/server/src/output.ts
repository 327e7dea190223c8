import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { CommandError, systemErrorCode } from './command-error.ts'

/** Writes JSON text to standard output and ends it with a line feed. */
export async function writeOutput(blocks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await pipeline(withLineFeed(blocks), process.stdout, { end: false })
  } catch (error) {
    // Who reads has seen enough, as in `elkyn export | head`.
    if (systemErrorCode(error) !== 'EPIPE') throw error
  }
}

/**
 * Writes JSON text to a file and ends it with a line feed. The file appears when it is complete:
 * until then it grows under another name, and what had this one stays.
 */
export async function writeFile(file: string, blocks: AsyncIterable<Uint8Array>): Promise<void> {
  const unfinished = `${file}.unfinished`
  try {
    await pipeline(withLineFeed(blocks), createWriteStream(unfinished, { flush: true }))
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    const code = systemErrorCode(error)
    if (code === undefined || error instanceof CommandError) throw error
    throw new CommandError('failed', `Cannot write ${file}: ${code}`, { cause: error })
  }
}

async function* withLineFeed(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const lineFeed = 0x0a
  let last: number | undefined
  for await (const block of blocks) {
    last = block.at(-1) ?? last
    yield block
  }
  // Indented text comes with one.
  if (last !== lineFeed) yield Uint8Array.of(lineFeed)
}
