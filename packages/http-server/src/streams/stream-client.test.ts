import { rootPath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { nowhere } from '../../test/streams/nowhere.ts'
import type { OutgoingStream } from '../exchange.ts'
import { StreamClient } from './stream-client.ts'
import { StreamMeter } from './stream-meter.ts'
import { Frame, Subscriber, Topic } from './topic.ts'

const block = Buffer.from(': keep-alive\n\n')

class Pending implements OutgoingStream {
  onDrain: (() => void) | undefined
  pendingBytes = 0
  text = ''

  write(bytes: Uint8Array): boolean {
    this.text += Buffer.from(bytes).toString()
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

test('keepAlive() counts for how long a client has not taken everything, whatever it has taken', () => {
  const stream = new Pending()
  const client = new StreamClient(stream, new StreamMeter(), 1_000_000)
  client.onDrain(() => {})
  client.write(Buffer.alloc(1000))
  keepAlives(stream, client, [1, 1, 1])
  expect(client.undrainedRounds).toBe(3)
  stream.pendingBytes = 0
  stream.onDrain?.()
  expect(client.undrainedRounds).toBe(0)
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

test('tell() waits for events that fill a client, and goes out behind them', () => {
  const stream = new Pending()
  const client = new StreamClient(stream, new StreamMeter(), 1000, 'many')
  const target = { path: rootPath, shownPath: rootPath, form: 'plain' } as const
  const subscriber = new Subscriber(client, new Topic(0, 'a', target), 'a')
  const json = Buffer.alloc(900, '1')
  client.send(subscriber, new Frame({ name: undefined, json, id: undefined }, 1))
  client.tell(': told\n\n')
  expect([client.isFull, stream.pendingBytes]).toEqual([true, 0])
  client.sendOutbox(undefined)
  expect([client.isFull, stream.text.endsWith(': told\n\n')]).toEqual([false, true])
})
