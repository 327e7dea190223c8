import { expect, test } from 'vitest'
import { nowhere } from '../../test/streams/nowhere.ts'
import type { OutgoingStream } from '../exchange.ts'
import { StreamClient } from './stream-client.ts'
import { StreamMeter } from './stream-meter.ts'

const block = Buffer.from(': keep-alive\n\n')

class Pending implements OutgoingStream {
  onDrain: (() => void) | undefined
  pendingBytes = 0

  write(bytes: Uint8Array): boolean {
    this.pendingBytes += bytes.length
    return false
  }

  writeLent(bytes: Uint8Array): boolean {
    return this.write(bytes)
  }

  end(): void {}

  destroy(): void {}
}

function keepAlives(stream: Pending, client: StreamClient, taken: readonly number[]): number[] {
  return taken.map((bytes) => {
    stream.pendingBytes -= bytes
    return client.keepAlive(block, undefined)
  })
}

test('keepAlive() tells for how long a client has taken nothing', () => {
  const stream = new Pending()
  const client = new StreamClient(stream, new StreamMeter(), 1_000_000)
  client.write(Buffer.alloc(1000))
  expect(keepAlives(stream, client, [0, 0, 0, 10, 0, 0, 1, 1])).toEqual([0, 1, 2, 0, 1, 2, 0, 0])
  // What is written meanwhile is nothing that was taken.
  client.write(Buffer.alloc(1000))
  expect(keepAlives(stream, client, [0])).toEqual([1])
})

test('keepAlive() says nothing of a client that has taken everything', () => {
  const stream = new Pending()
  const client = new StreamClient(stream, new StreamMeter(), 1_000_000)
  client.write(Buffer.alloc(1000))
  const rounds = [1000, block.length, block.length]
  expect(keepAlives(stream, client, rounds)).toEqual([0, 0, 0])
})

test('writeBlocks() lets others have their turn, however fast its client is', async () => {
  const turn = new AbortController()
  setImmediate(() => turn.abort())
  function* blocks(): Generator<Uint8Array> {
    const tooLong = performance.now() + 1000
    while (!turn.signal.aborted && performance.now() < tooLong) yield block
  }
  const client = new StreamClient(nowhere, new StreamMeter(), 1_000_000)
  await client.writeBlocks(block, blocks(), block)
  expect(turn.signal.aborted).toBe(true)
})
