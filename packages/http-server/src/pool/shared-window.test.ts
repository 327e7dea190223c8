import { mkdtemp, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { LargePace } from './large-pace.ts'
import { openSpoolFile } from './spool.ts'
import { SpoolRoom } from './spool-room.ts'
import { SharedWindow, WindowWord } from './shared-window.ts'
import { WindowReceiver } from './window-receiver.ts'
import { WindowSender, patienceFor } from './window-sender.ts'

const size = 1024
const room = SpoolRoom.create(1e6, tmpdir())

function receiverOf(openFile: () => Promise<FileHandle> = noFile): WindowReceiver {
  return new WindowReceiver(size, new LargePace(), openFile, room, () => {})
}

function noFile(): Promise<FileHandle> {
  throw new Error('No file is wanted here')
}

function bytesFrom(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (start + index) % 251)
}

test('a window carries bytes of any length, in order', async () => {
  const receiver = receiverOf()
  const sender = new WindowSender(receiver.buffer, 60_000, room)
  const lengths = [1, 500, 1000, 3000, 1024, 7, 2049]
  const sending = (async () => {
    let start = 0
    for (const length of lengths) {
      await sender.send(bytesFrom(start, length))
      start += length
    }
    sender.end()
  })()
  const all: number[] = []
  for await (const piece of receiver) all.push(...piece)
  await sending
  const total = lengths.reduce((sum, length) => sum + length)
  expect(Uint8Array.from(all)).toEqual(bytesFrom(0, total))
})

test('a piece of a window holds until the next one is asked for, and gives its room back then', async () => {
  const receiver = receiverOf()
  const window = new SharedWindow(receiver.buffer)
  const sender = new WindowSender(receiver.buffer, 60_000, room)
  await sender.send(bytesFrom(0, size))
  const first = await receiver.next()
  const sending = sender.send(bytesFrom(size, size))
  expect(window.waiting).toBe(size)
  expect(first.value).toEqual(bytesFrom(0, size))
  const second = receiver.next()
  expect(window.load(WindowWord.Read)).toBe(size)
  await sending
  const rest = [...((await second).value as Uint8Array)]
  sender.end()
  for await (const piece of receiver) rest.push(...piece)
  expect(Uint8Array.from(rest)).toEqual(bytesFrom(size, size))
})

test('a window that nobody wants any more leaves the last piece as it is', async () => {
  const receiver = receiverOf()
  const sender = new WindowSender(receiver.buffer, 60_000, room)
  await sender.send(bytesFrom(0, size))
  const { value } = await receiver.next()
  const sending = sender.send(bytesFrom(size, size))
  await receiver.return()
  await sending
  expect(sender.isCancelled).toBe(true)
  expect(value).toEqual(bytesFrom(0, size))
})

// Whoever takes pieces in a `for await` does not give up what has failed.
test('a window whose sender has failed is done with', async () => {
  let done = 0
  const receiver = new WindowReceiver(size, new LargePace(), noFile, room, () => done++)
  const sender = new WindowSender(receiver.buffer, 60_000, room)
  await sender.send(bytesFrom(0, 10))
  const first = await receiver.next()
  expect(first.value).toEqual(bytesFrom(0, 10))
  await receiver.senderEnded(new Error('The disk says no'))
  await expect(receiver.next()).rejects.toThrow('The disk says no')
  expect(done).toBe(1)
  expect(await receiver.next()).toEqual({ done: true, value: undefined })
})

test('the sender through a window is woken when half of it is free', async () => {
  const receiver = receiverOf()
  const window = new SharedWindow(receiver.buffer)
  const sender = new WindowSender(receiver.buffer, 60_000, room)
  await sender.send(bytesFrom(0, size))
  const taken = window.load(WindowWord.Taken)
  await receiver.takeAll(size / 2 - 1)
  expect(window.load(WindowWord.Taken)).toBe(taken)
  await receiver.takeAll(1)
  expect(window.load(WindowWord.Taken)).toBe(taken + 1)
})

test('what a window has no room for in time comes through a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'elkyn-window-'))
  try {
    const receiver = receiverOf(() => openSpoolFile(folder))
    const sender = new WindowSender(receiver.buffer, 1, room)
    await sender.send(bytesFrom(0, 300_000))
    sender.end()
    const received = await buffer(receiver)
    expect(received.equals(bytesFrom(0, 300_000))).toBe(true)
    await receiver.senderEnded()
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a file for which there is no room breaks off, and gives its room back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'elkyn-window-'))
  try {
    const little = SpoolRoom.create(200_000, folder)
    for (let round = 0; round < 2; round++) {
      const receiver = new WindowReceiver(
        size,
        new LargePace(),
        () => openSpoolFile(folder),
        little,
        () => {},
      )
      const sender = new WindowSender(receiver.buffer, 1, little)
      await sender.send(bytesFrom(0, 150_000))
      await expect(sender.send(bytesFrom(0, 60_000))).rejects.toThrow('maxSpoolBytes')
      sender.fail()
      await receiver.return()
      await receiver.senderEnded()
    }
    expect(little.grow(0, 200_000)).toBe(true)
    expect(little.grow(200_000, 210_000)).toBe(false)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('who takes an answer briskly has a minute for it, and who takes nothing five seconds', () => {
  const second = 8 * 1024 * 1024
  expect(patienceFor(5000, 0)).toBe(5000)
  expect(patienceFor(5000, second)).toBe(6000)
  expect(patienceFor(5000, 55 * second)).toBe(60_000)
  expect(patienceFor(5000, 1e12)).toBe(60_000)
  expect(patienceFor(0, second)).toBe(0)
})
