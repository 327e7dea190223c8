import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

async function* blocksOf(...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield new Uint8Array(size)
}

/** A terminal that keeps what was written to it, and a clock that moves on with each look. */
function terminal(msALook: number) {
  const written: string[] = []
  let time = 0
  return {
    written,
    stream: { isTTY: true, columns: 100, write: (text: string) => written.push(text) },
    now: () => (time += msALook),
  }
}

async function drain(blocks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of blocks);
}

test('Progress shows the share, the rate and the time left', async () => {
  const { written, stream, now } = terminal(500)
  const progress = new Progress(stream, { label: 'Importing', totalBytes: 4 * 1024 * 1024, now })
  await drain(progress.watch(blocksOf(1024 * 1024)))
  expect(written[0]).toBe(
    '\r\u001b[KImporting  ████░░░░░░░░░░░░  25%  1.0 MiB of 4.0 MiB  1.0 MiB/s  3 s left',
  )
})

test('Progress of an unknown whole shows the bytes and the rate', async () => {
  const { written, stream, now } = terminal(500)
  const progress = new Progress(stream, { label: 'Importing', now })
  await drain(progress.watch(blocksOf(2048)))
  expect(written[0]).toBe('\r\u001b[KImporting  2.0 KiB  2.0 KiB/s')
})

test('Progress takes its line away when the blocks end', async () => {
  const { written, stream, now } = terminal(500)
  await drain(new Progress(stream, { label: 'Importing', now }).watch(blocksOf(1, 1)))
  expect(written.at(-1)).toBe('\r\u001b[K')
})

test('Progress draws ten times a second at most', async () => {
  const { written, stream, now } = terminal(10)
  await drain(
    new Progress(stream, { label: 'Importing', now }).watch(blocksOf(...Array(20).fill(1))),
  )
  expect(written.length).toBeLessThan(8)
})

test('Progress is cut to the width of the terminal', async () => {
  const { written, stream, now } = terminal(500)
  const narrow = { ...stream, columns: 20 }
  await drain(new Progress(narrow, { label: 'Importing', totalBytes: 10, now }).watch(blocksOf(5)))
  expect(written[0]).toHaveLength('\r\u001b[K'.length + 19)
})

test('Progress counts, but writes nothing to what is no terminal', async () => {
  const { written, stream, now } = terminal(500)
  const file = { ...stream, isTTY: false }
  const progress = new Progress(file, { label: 'Importing', now })
  await drain(progress.watch(blocksOf(3, 4)))
  expect(progress.bytes).toBe(7)
  expect(written).toEqual([])
})
