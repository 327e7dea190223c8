import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { PartWriter } from './part-writer.ts'

const part = 64 * 1024

/** Takes one write after the other, when it is told to. */
class Slow extends Writable {
  readonly taken: Buffer[] = []
  #take: (() => void) | undefined

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.#begin([bytes], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#begin(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  #begin(pieces: Buffer[], done: () => void): void {
    this.#take = () => {
      this.taken.push(Buffer.concat(pieces))
      done()
    }
  }

  take(): void {
    const take = this.#take
    this.#take = undefined
    take?.()
  }

  get isTaking(): boolean {
    return this.#take !== undefined
  }
}

function pair(): { readonly slow: Slow; readonly writer: PartWriter; readonly drains: number[] } {
  const slow = new Slow({ highWaterMark: part })
  const writer = new PartWriter(slow)
  const drains: number[] = []
  slow.on('drain', writer.drained)
  slow.on('error', () => {})
  writer.onDrain = () => drains.push(slow.taken.length)
  return { slow, writer, drains }
}

test('PartWriter shows of one large write what has left of it', () => {
  const { slow, writer, drains } = pair()
  const bytes = Buffer.alloc(3 * part + 5, 'x')
  const pending: number[] = []
  const released: number[] = []
  expect(writer.write(bytes, () => released.push(slow.taken.length))).toBe(false)
  while (slow.isTaking) {
    pending.push(writer.pendingBytes)
    slow.take()
  }
  expect(pending).toEqual([3 * part + 5, 2 * part + 5, part + 5, 5])
  expect(Buffer.concat(slow.taken)).toEqual(bytes)
  expect({ drains, released }).toEqual({ drains: [4], released: [4] })
})

test('PartWriter hands on at once what is taken at once', async () => {
  const taken: number[] = []
  const quick = new Writable({
    write(bytes: Buffer, _encoding, done) {
      taken.push(bytes.length)
      done()
    },
  })
  const writer = new PartWriter(quick)
  quick.on('drain', writer.drained)
  const left = Promise.withResolvers<void>()
  expect(writer.write(Buffer.alloc(3 * part), left.resolve)).toBe(true)
  expect(writer.write(Buffer.from('more'))).toBe(true)
  expect(writer.pendingBytes).toBe(0)
  expect(taken).toEqual([part, part, part, 4])
  await left.promise
})

test('PartWriter hands on what has gathered in parts, in order', () => {
  const { slow, writer, drains } = pair()
  const written: Buffer[] = []
  for (let index = 0; index < 3000; index++) {
    const bytes = Buffer.from(`${index}`.padEnd(100))
    written.push(bytes)
    writer.write(bytes)
  }
  while (slow.isTaking) slow.take()
  expect(Buffer.concat(slow.taken)).toEqual(Buffer.concat(written))
  expect(Math.max(...slow.taken.map(({ length }) => length))).toBeLessThanOrEqual(part)
  expect(slow.taken.length).toBeLessThan(10)
  expect(drains).toEqual([slow.taken.length])
  expect(writer.write(Buffer.from('more'))).toBe(true)
})

test('PartWriter ends behind everything', () => {
  const { slow, writer } = pair()
  let ended = 0
  const end = (): void => {
    ended += slow.taken.length
  }
  writer.write(Buffer.alloc(2 * part))
  writer.end(end)
  slow.take()
  expect(ended).toBe(0)
  slow.take()
  expect(ended).toBe(2)
  writer.end(end)
  expect(ended).toBe(4)
})

test('PartWriter gives back each of the bytes once when nobody takes them any more', async () => {
  const { slow, writer, drains } = pair()
  const released: string[] = []
  writer.write(Buffer.alloc(2 * part), () => released.push('a'))
  writer.write(Buffer.alloc(10), () => released.push('b'))
  slow.take()
  slow.destroy()
  slow.take()
  await new Promise(setImmediate)
  writer.write(Buffer.alloc(2 * part), () => released.push('c'))
  writer.write(Buffer.alloc(10), () => released.push('d'))
  await new Promise(setImmediate)
  expect(released).toEqual(['a', 'b', 'c', 'd'])
  expect(writer.pendingBytes).toBe(0)
  expect(drains).toEqual([])
})
