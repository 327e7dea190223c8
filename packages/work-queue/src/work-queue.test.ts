import process from 'node:process'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Arena } from './arena.ts'
import { WorkQueueError, attachWorkQueue, createWorkQueue } from './index.ts'
import type { Claim, WorkItem, WorkQueue } from './index.ts'
import { CELL, cellAt, layoutOf, readSizes } from './layout.ts'
import { BUSY, Ring } from './ring.ts'
import { createSharedQueue } from './shared-queue.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (item: WorkItem | undefined): string | undefined =>
  item && new TextDecoder().decode(item.bytes)
const small = { capacity: 4, arenaBytes: 0 }

function fill(queue: WorkQueue, count: number): void {
  for (let i = 0; i < count; i++) queue.tryEnqueue(Uint8Array.of(i))
}

async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    if (error instanceof WorkQueueError) return error.code
    throw error
  }
  throw new Error('Did not throw')
}

test('createWorkQueue() refuses options out of their range', () => {
  for (const options of [{ capacity: 0 }, { bands: 9 }, { sampleEvery: 3 }, { slotBytes: 1.5 }]) {
    expect(() => createWorkQueue(options)).toThrow(RangeError)
  }
})

test('createWorkQueue() rounds sizes up and shows them', () => {
  const queue = createWorkQueue({ capacity: 5, slotBytes: 100, arenaBytes: 1, blockBytes: 64 })
  expect(queue).toMatchObject({ capacity: 8, slotBytes: 112, bands: 1, maxItemBytes: 112 })
})

test('tryEnqueue() and tryDequeue() pass bytes and tag in order', () => {
  const queue = createWorkQueue(small)
  expect(queue.tryDequeue()).toBeUndefined()
  expect(queue.tryEnqueue(bytes('a'), { tag: 2 ** 32 - 1 })).toBe(true)
  expect(queue.tryEnqueue(bytes(''))).toBe(true)
  const first = queue.tryDequeue()
  expect(text(first)).toBe('a')
  expect(first).toMatchObject({ tag: 2 ** 32 - 1, band: 0, byteLength: 1, inBlocks: false })
  expect(text(queue.tryDequeue())).toBe('')
  expect(queue.tryDequeue()).toBeUndefined()
})

test('lengths that are none, and chunks without bytes, are refused', async () => {
  const queue = createWorkQueue({ capacity: 4, arenaBytes: 256 * 1024 })
  for (const length of [-1, 1.5, NaN, '4' as unknown as number]) {
    expect(() => queue.tryClaim(length)).toThrow(RangeError)
    expect(() => queue.draft().tryReserve(length)).toThrow(RangeError)
  }
  const draft = queue.draft()
  expect(() => draft.tryWrite('text' as unknown as Uint8Array)).toThrow(TypeError)
  expect(draft.tryWrite(bytes('a'))).toBe(true)
  expect(await queue.enqueue(draft)).toBe(true)
  expect(text(queue.tryDequeue())).toBe('a')
})

test('what is no signal is refused, and later calls go on', async () => {
  const queue = createWorkQueue(small)
  fill(queue, 4)
  const signal = { throwIfAborted: () => undefined } as AbortSignal
  await expect(queue.enqueue(bytes('x'), { signal })).rejects.toThrow(TypeError)
  const next = queue.enqueue(bytes('next'))
  for (let i = 0; i < 4; i++) queue.tryDequeue()
  expect(await next).toBe(true)
  expect(text(queue.tryDequeue())).toBe('next')
})

describe('a call that ends in the middle, as by a stack overflow', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  const overflow = (): never => {
    throw new RangeError('Maximum call stack size exceeded')
  }

  test.each([
    ['short', 1],
    ['long', 100],
  ])('detach() settles a put of a %s item', (_, length) => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const other = attachWorkQueue(queue.handle)
    vi.spyOn(Ring.prototype, 'publish').mockImplementationOnce(overflow)
    expect(() => queue.tryEnqueue(new Uint8Array(length))).toThrow('Maximum')
    expect(other.tryEnqueue(bytes('next'))).toBe(true)
    expect(other.tryDequeue()).toBeUndefined()
    queue.detach()
    expect(text(other.tryDequeue())).toBe('next')
    expect(other.stats().blocks.free).toBe(2)
    expect(other.participants()).toHaveLength(1)
  })

  test.each([
    ['publish', 'put', (queue: WorkQueue) => queue.tryEnqueue(bytes('a'))],
    ['release', 'take', (queue: WorkQueue) => queue.tryDequeue()],
  ] as const)('%s: the next %s detaches, so that nothing hides what is left', (method, _, call) => {
    const queue = createWorkQueue(small)
    const other = attachWorkQueue(queue.handle)
    other.tryEnqueue(bytes('b'))
    vi.spyOn(Ring.prototype, method).mockImplementationOnce(overflow)
    expect(() => call(queue)).toThrow('Maximum')
    expect(() => call(queue)).toThrow(expect.objectContaining({ code: 'ERR_DETACHED' }))
    for (let i = 0; i < 8; i++) {
      other.tryDequeue()
      expect(other.tryEnqueue(Uint8Array.of(i))).toBe(true)
    }
    expect(other.participants()).toHaveLength(1)
  })

  test('detach() settles a take', () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const other = attachWorkQueue(queue.handle)
    other.tryEnqueue(new Uint8Array(100))
    vi.spyOn(Ring.prototype, 'release').mockImplementationOnce(overflow)
    expect(() => queue.tryDequeue()).toThrow('Maximum')
    queue.detach()
    for (let i = 0; i < 8; i++) {
      expect(other.tryEnqueue(Uint8Array.of(i))).toBe(true)
      expect(other.tryDequeue()?.bytes).toEqual(Uint8Array.of(i))
    }
    expect(other.stats().blocks.free).toBe(2)
    expect(other.participants()).toHaveLength(1)
  })
})

describe('forms with promises', () => {
  const queue = createWorkQueue({ capacity: 64, arenaBytes: 8192, blockBytes: 64, slotBytes: 48 })
  const one = Uint8Array.of(1)
  const long = new Uint8Array(100)

  test.each<[string, () => Promise<unknown>]>([
    ['enqueue()', async () => [await queue.enqueue(one), queue.tryDequeue()]],
    ['enqueue() of long items', async () => [await queue.enqueue(long), queue.tryDequeue()?.bytes]],
    ['enqueueMany()', async () => [await queue.enqueueMany([one]), queue.tryDequeue()]],
    ['dequeue()', async () => [queue.tryEnqueue(one), await queue.dequeue()]],
    ['dequeueMany()', async () => [queue.tryEnqueue(one), await queue.dequeueMany()]],
    ['for await', async () => [queue.tryEnqueue(one), await queue[Symbol.asyncIterator]().next()]],
    [
      'draft.write()',
      async () => {
        using draft = queue.draft()
        return await draft.write(one)
      },
    ],
  ])('%s gives the event loop turns though it never has to wait', async (_, call) => {
    const loop = { hasTurned: false }
    setImmediate(() => (loop.hasTurned = true))
    // Far more than there is time for within a turn.
    for (let i = 0; i < 1_000_000 && !loop.hasTurned; i++) await call()
    expect(loop.hasTurned).toBe(true)
    expect(queue.depth).toBe(0)
  })

  test('pending calls are fulfilled in their order, also where the first had not to wait', async () => {
    const order: number[] = []
    for (let round = 0; round < 20; round++) {
      // Long enough for a turn to be due.
      const end = performance.now() + 2
      while (performance.now() < end);
      queue.tryEnqueue(Uint8Array.of(0))
      const calls = [0, 1].map(async () => order.push((await queue.dequeue())!.bytes[0]!))
      queue.tryEnqueue(Uint8Array.of(1))
      await Promise.all(calls)
    }
    expect(order).toEqual(Array.from({ length: 40 }, (_, index) => index % 2))
  })

  test('what is put in without waiting is in before the call returns', () => {
    const calls = Array.from({ length: 60 }, (_, index) => queue.enqueue(Uint8Array.of(index)))
    const numbers = calls.map(() => queue.tryDequeue()?.bytes[0])
    expect(numbers).toEqual(calls.map((_, index) => index))
    return Promise.all(calls)
  })
})

test('tryEnqueue() of a long item tries again at a slot that another one is busy with', () => {
  const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
  vi.spyOn(Ring.prototype, 'findFree').mockReturnValueOnce(BUSY)
  expect(queue.tryEnqueue(new Uint8Array(100))).toBe(true)
  vi.restoreAllMocks()
  expect(queue.tryDequeue()?.byteLength).toBe(100)
})

describe('bytes that change while a call waits', () => {
  const detach = (source: Uint8Array): void => {
    structuredClone(source, { transfer: [source.buffer as ArrayBuffer] })
  }

  test('detached ones are refused before a slot is taken', async () => {
    const queue = createWorkQueue(small)
    const source = new Uint8Array(8)
    detach(source)
    expect(() => queue.tryEnqueue(source)).toThrow('detached')
    expect(() => queue.tryEnqueueMany([source])).toThrow('detached')
    await expect(queue.enqueue(source)).rejects.toThrow('detached')
    await expect(queue.enqueueMany([source])).rejects.toThrow('detached')
    expect(queue.depth).toBe(0)
    expect(queue.tryEnqueue(bytes('b'))).toBe(true)
    expect(text(queue.tryDequeue())).toBe('b')
  })

  test('detached ones end a list there, and throw when they come first', async () => {
    const sources = Array.from({ length: 300 }, () => bytes('a'))
    const source = new Uint8Array(8)
    detach(source)
    for (const good of [2, 300]) {
      const list = [...sources.slice(0, good), source, bytes('b')]
      const queue = createWorkQueue({ capacity: 1024, arenaBytes: 0 })
      expect(queue.tryEnqueueMany(list)).toBe(good)
      expect(await queue.enqueueMany(list)).toBe(good)
      expect(queue.depth).toBe(2 * good)
    }
  })

  test.each([
    ['detached', 'detached', detach],
    ['grown', 'grown', (source: Uint8Array) => (source.buffer as ArrayBuffer).resize(4096)],
    ['cut off', 'detached', (source: Uint8Array) => (source.buffer as ArrayBuffer).resize(4)],
  ])('a waiting enqueue of %s ones fails, and the queue goes on', async (name, reason, change) => {
    const queue = createWorkQueue(small)
    fill(queue, 4)
    const memory = new ArrayBuffer(8, { maxByteLength: 4096 })
    // Of a fixed length, it ends outside of what is left.
    const source = name === 'cut off' ? new Uint8Array(memory, 0, 8) : new Uint8Array(memory)
    const waiting = queue.enqueue(source)
    const next = queue.enqueue(bytes('next'))
    change(source)
    for (let i = 0; i < 4; i++) queue.tryDequeue()
    await expect(waiting).rejects.toThrow(reason)
    expect(await next).toBe(true)
    expect(text(queue.tryDequeue())).toBe('next')
  })

  test('detached ones that wait for blocks are refused, and leave no item and no block', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    queue.tryEnqueue(new Uint8Array(128))
    const draft = queue.draft()
    const [one, many, chunk] = [new Uint8Array(64), new Uint8Array(64), new Uint8Array(8)]
    const calls = [queue.enqueue(one), queue.enqueueMany([many]), draft.write(chunk)]
    const settled = Promise.allSettled(calls)
    for (const source of [one, many, chunk]) detach(source)
    queue.tryDequeue()?.release()
    const reasons = (await settled).map((result) => result.status === 'rejected' && result.reason)
    for (const reason of reasons) expect(String(reason)).toMatch(/^TypeError: .*detached/)
    expect(() => draft.tryWrite(chunk)).toThrow('detached')
    expect(draft.byteLength).toBe(0)
    expect(queue.depth).toBe(0)
    expect(queue.stats().blocks.free).toBe(2)
  })
})

test('tryEnqueue() returns false at capacity and not before', () => {
  const queue = createWorkQueue(small)
  fill(queue, 4)
  expect(queue.tryEnqueue(bytes('x'))).toBe(false)
  expect(queue.depth).toBe(4)
  queue.tryDequeue()
  expect(queue.tryEnqueue(bytes('x'))).toBe(true)
})

describe('a consumer that stops before it releases its slots', () => {
  /** Each nap takes 2 ms. @param after is called after each, with how many there were */
  function countNaps(after: (naps: number) => void = () => undefined): () => number {
    let naps = 0
    vi.spyOn(performance, 'now').mockImplementation(() => 2 * naps)
    vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      after(++naps)
      return 'timed-out'
    })
    return () => naps
  }

  /** A full queue, all of whose slots are being taken. */
  function beingTaken(): { queue: WorkQueue; releaseFirst: () => void } {
    const queue = createWorkQueue({ ...small, arenaBytes: 4096 })
    fill(queue, 4)
    const words = new Int32Array(queue.handle.buffer)
    const ring = new Ring(words, layoutOf(readSizes(words)!), 0, 31)
    const first = ring.findFull(4)
    ring.ownFull(first, 4)
    return { queue, releaseFirst: () => ring.release(first, 1) }
  }

  test.each([
    ['tryEnqueue', (queue: WorkQueue) => queue.tryEnqueue(bytes('a')), false],
    [
      'tryEnqueue of a long item',
      (queue: WorkQueue) => queue.tryEnqueue(new Uint8Array(500)),
      false,
    ],
    ['tryEnqueueMany', (queue: WorkQueue) => queue.tryEnqueueMany([bytes('a'), bytes('b')]), 0],
    ['tryClaim', (queue: WorkQueue) => queue.tryClaim(1), undefined],
  ])('%s naps until 5 ms are over by the clock', (_, put, nothing) => {
    const { queue } = beingTaken()
    const naps = countNaps()
    try {
      expect(put(queue)).toBe(nothing)
      expect(naps()).toBe(3)
    } finally {
      vi.restoreAllMocks()
    }
  })

  test.each([
    ['short', [bytes('a'), bytes('b')]],
    ['long', [new Uint8Array(500), new Uint8Array(500)]],
  ])('a call that puts in many %s items has 5 ms for all of them', (_, sources) => {
    const { queue, releaseFirst } = beingTaken()
    const naps = countNaps((count) => count === 2 && releaseFirst())
    try {
      expect(queue.tryEnqueueMany(sources)).toBe(1)
      expect(naps()).toBe(3)
    } finally {
      vi.restoreAllMocks()
    }
  })
})

test('tryEnqueue() copies: the bytes may be changed at once', () => {
  const queue = createWorkQueue()
  const source = bytes('a'.repeat(300))
  queue.tryEnqueue(source)
  source.fill(0)
  expect(text(queue.tryDequeue())).toBe('a'.repeat(300))
})

test('tryEnqueue() takes any length and alignment of a slot', () => {
  const queue = createWorkQueue({ capacity: 1, slotBytes: 1008 })
  const source = Uint8Array.from({ length: 1100 }, (_, i) => i)
  for (const length of [0, 1, 2, 3, 4, 5, 63, 64, 111, 112, 511, 512, 513, 1007, 1008, 1009]) {
    expect(queue.tryEnqueue(source.subarray(3, 3 + length))).toBe(true)
    expect(queue.tryDequeue()?.bytes).toEqual(source.slice(3, 3 + length))
  }
})

test('tryEnqueue() refuses a band and a tag that do not exist', () => {
  const queue = createWorkQueue(small)
  expect(() => queue.tryEnqueue(bytes('a'), { band: 1 })).toThrow(RangeError)
  expect(() => queue.tryEnqueue(bytes('a'), { tag: -1 })).toThrow(RangeError)
})

test('tryEnqueue() refuses what the queue can never hold', async () => {
  const queue = createWorkQueue({ arenaBytes: 128, blockBytes: 64 })
  expect(await codeOf(() => queue.tryEnqueue(new Uint8Array(129)))).toBe('ERR_ITEM_TOO_LARGE')
  expect(queue.tryEnqueue(new Uint8Array(128))).toBe(true)
})

test('items longer than a slot travel in blocks, which bytes gives back', () => {
  const queue = createWorkQueue({ arenaBytes: 640, blockBytes: 64 })
  const long = Uint8Array.from({ length: 600 }, (_, i) => i)
  expect(queue.tryEnqueue(long)).toBe(true)
  // The arena is short now.
  expect(queue.tryEnqueue(long)).toBe(false)
  const item = queue.tryDequeue()
  expect(item?.inBlocks).toBe(true)
  expect(item?.segments().map(({ length }) => length)).toEqual([...Array(9).fill(64), 24])
  expect(queue.stats().blocks).toEqual({ total: 10, free: 0 })
  expect(item?.bytes).toEqual(long)
  expect(queue.stats().blocks).toEqual({ total: 10, free: 10 })
  expect(item?.segments()).toEqual([long])
})

// Their blocks are never touched, so that they take no memory.
test('items from 2 GiB on have their length', () => {
  const length = 2 ** 31
  const arenaBytes = 2 ** 32
  const queue = createWorkQueue({ capacity: 4, arenaBytes, blockBytes: 2 ** 26 })
  expect(queue.maxItemBytes).toBe(2 ** 32 - 1)
  const put = (): void => {
    const draft = queue.draft()
    draft.tryReserve(length)
    Object.assign(draft, { byteLength: length })
    expect(queue.tryEnqueue(draft)).toBe(true)
  }
  put()
  const item = queue.tryDequeue()
  expect(item?.byteLength).toBe(length)
  expect(item?.segments().length).toBe(32)
  item?.release()
  put()
  const batch = queue.tryDequeueMany()
  expect(batch?.byteLength(0)).toBe(length)
  expect(batch?.item(0).byteLength).toBe(length)
})

test('tryEnqueue() keeps no blocks when the queue is closed meanwhile', async () => {
  const queue = createWorkQueue({ arenaBytes: 640, blockBytes: 64 })
  const write: Arena['write'] = Reflect.get(Arena.prototype, 'write')
  vi.spyOn(Arena.prototype, 'write').mockImplementationOnce(function (this: Arena, ...args) {
    write.apply(this, args)
    queue.close()
  })
  expect(await codeOf(() => queue.tryEnqueue(new Uint8Array(600)))).toBe('ERR_QUEUE_CLOSED')
  vi.restoreAllMocks()
  expect(queue.stats().blocks.free).toBe(10)
})

test('release() gives blocks back once, and reading after it throws', () => {
  const queue = createWorkQueue({ arenaBytes: 640, blockBytes: 64 })
  queue.tryEnqueue(new Uint8Array(600))
  const item = queue.tryDequeue()
  item?.release()
  item?.release()
  expect(queue.stats().blocks.free).toBe(10)
  expect(() => item?.bytes).toThrow(TypeError)
})

test('a draft grows as bytes arrive and is enqueued without a copy', () => {
  const queue = createWorkQueue({ arenaBytes: 640, blockBytes: 64 })
  const draft = queue.draft()
  expect(draft.tryReserve(300)).toBe(true)
  for (const part of ['a', 'b', 'c']) expect(draft.tryWrite(bytes(part.repeat(50)))).toBe(true)
  expect(draft.byteLength).toBe(150)
  expect(queue.tryEnqueue(draft, { tag: 9 })).toBe(true)
  // What was reserved and not written is free again.
  expect(queue.stats().blocks.free).toBe(7)
  expect(text(queue.tryDequeue())).toBe('a'.repeat(50) + 'b'.repeat(50) + 'c'.repeat(50))
  expect(() => queue.tryEnqueue(draft)).toThrow(TypeError)
})

test('a draft of another queue is refused', () => {
  const draft = createWorkQueue().draft()
  expect(() => createWorkQueue().tryEnqueue(draft)).toThrow(TypeError)
})

test('a draft write waits for blocks, and discard() gives them back', async () => {
  const queue = createWorkQueue({ arenaBytes: 128, blockBytes: 64 })
  const first = queue.draft()
  first.tryWrite(new Uint8Array(100))
  const second = queue.draft()
  expect(second.tryWrite(new Uint8Array(100))).toBe(false)
  expect(await second.write(new Uint8Array(100), { timeoutMs: 1 })).toBe(false)
  const written = second.write(new Uint8Array(100))
  first.discard()
  expect(await written).toBe(true)
})

test('the promise forms of a draft reject and do not throw', async () => {
  const queue = createWorkQueue({ arenaBytes: 128, blockBytes: 64 })
  const draft = queue.draft()
  const late = [draft.write(bytes('a'), { timeoutMs: -1 }), draft.reserve(1, { timeoutMs: -1 })]
  for (const call of late) await expect(call).rejects.toThrow(RangeError)
  queue.detach()
  const detached = [draft.write(bytes('a')), draft.reserve(1)]
  const codes = detached.map(async (call) => codeOf(async () => call))
  expect(await Promise.all(codes)).toEqual(['ERR_DETACHED', 'ERR_DETACHED'])
})

test('writes that wait for more blocks than are free wake nobody', async () => {
  const queue = createWorkQueue({ arenaBytes: 256, blockBytes: 64 })
  const other = attachWorkQueue(queue.handle)
  const first = queue.draft()
  first.tryWrite(new Uint8Array(192))
  const notify = vi.spyOn(Atomics, 'notify')
  const written = [
    queue.draft().write(new Uint8Array(128)),
    other.draft().write(new Uint8Array(128)),
  ]
  expect(other.draft().tryWrite(new Uint8Array(128))).toBe(false)
  for (let i = 0; i < 10; i++) await turn()
  expect(notify).not.toHaveBeenCalled()
  notify.mockRestore()
  first.discard()
  expect(await Promise.all(written)).toEqual([true, true])
})

test('tryEnqueueMany() and tryDequeueMany() keep the order over slots and blocks', () => {
  const queue = createWorkQueue({ capacity: 8 })
  const sources = ['a', 'b', 'c'.repeat(500), 'd', 'e'].map(bytes)
  expect(queue.tryEnqueueMany(sources, { tag: 5 })).toBe(5)
  expect(queue.tryEnqueueMany(sources)).toBe(3)
  const batch = queue.tryDequeueMany({ max: 7 })
  expect(batch?.length).toBe(7)
  expect([...(batch ?? [])].map((item) => text(item))).toEqual([
    'a',
    'b',
    'c'.repeat(500),
    'd',
    'e',
    'a',
    'b',
  ])
  expect(batch?.tag(4)).toBe(5)
  expect(batch?.byteOffset(2)).toBe(-1)
  expect(batch?.item(0)).toBe(batch?.item(0))
  expect(() => batch?.item(7)).toThrow(RangeError)
  expect(queue.tryDequeueMany()?.length).toBe(1)
  expect(queue.tryDequeueMany()).toBeUndefined()
})

test('the forms that put many tell how much is in when a later item is refused', async () => {
  const tooLarge = [bytes('a'), new Uint8Array(113)]
  const notOurs = [bytes('a'), createWorkQueue().draft()]
  for (const sources of [tooLarge, notOurs]) {
    const queue = createWorkQueue(small)
    expect(queue.tryEnqueueMany(sources)).toBe(1)
    expect(await queue.enqueueMany(sources)).toBe(1)
    expect(queue.depth).toBe(2)
  }
  const rest = tooLarge.slice(1)
  expect(await codeOf(() => createWorkQueue(small).tryEnqueueMany(rest))).toBe('ERR_ITEM_TOO_LARGE')
})

test('enqueueMany() tells how much was in when it was aborted', async () => {
  const queue = createWorkQueue({ capacity: 1 })
  const abort = new AbortController()
  const { signal } = abort
  const reason = new Error('enough')
  const settled = Promise.allSettled([
    queue.enqueueMany([bytes('a'), bytes('b')], { signal }),
    queue.enqueueMany([bytes('c')], { signal }),
  ])
  abort.abort(reason)
  expect(await settled).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason },
  ])
})

test('tryDequeueMany() takes a batch that goes around the end of the ring', () => {
  const queue = createWorkQueue({ capacity: 8 })
  fill(queue, 6)
  queue.tryDequeueMany()
  fill(queue, 8)
  const batch = queue.tryDequeueMany()
  expect([...(batch ?? [])].map((item) => item.bytes[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})

test('positions run over 2^32 without a seam', () => {
  const queue = createSharedQueue({ capacity: 2, sampleEvery: 1 }, 2 ** 31 - 5)
  for (let i = 0; i < 20; i++) {
    expect(queue.tryEnqueue(Uint8Array.of(i))).toBe(true)
    expect(queue.tryEnqueue(Uint8Array.of(i + 100))).toBe(true)
    expect(queue.tryEnqueue(Uint8Array.of(0))).toBe(false)
    expect(queue.depth).toBe(2)
    expect(queue.tryDequeue()?.bytes[0]).toBe(i)
    expect(queue.tryDequeue()?.bytes[0]).toBe(i + 100)
    expect(queue.tryDequeue()).toBeUndefined()
  }
})

test('tryClaim() writes straight into the slot', () => {
  const queue = createWorkQueue(small)
  const claim = queue.tryClaim(10, { tag: 3 })
  claim?.bytes.set(bytes('hello'))
  expect(queue.tryDequeue()).toBeUndefined()
  claim?.publish(5)
  const item = queue.tryDequeue()
  expect(text(item)).toBe('hello')
  expect(item?.tag).toBe(3)
  expect(() => claim?.publish()).toThrow(TypeError)
})

test('an open claim refuses other puts of its participant', async () => {
  const queue = createWorkQueue(small)
  const claim = queue.tryClaim(1)
  expect(await codeOf(() => queue.tryEnqueue(bytes('a')))).toBe('ERR_CLAIM_OPEN')
  expect(await codeOf(() => queue.tryClaim(1))).toBe('ERR_CLAIM_OPEN')
  const waits = queue.enqueue(bytes('b'))
  claim?.publish()
  expect(await waits).toBe(true)
  expect(queue.depth).toBe(2)
})

test('a claim that is abandoned leaves no item', () => {
  const queue = createWorkQueue(small)
  {
    using claim = queue.tryClaim(1)
    expect(claim?.bytes.length).toBe(1)
  }
  queue.tryEnqueue(bytes('a'))
  expect(queue.tryDequeueMany()?.length).toBe(1)
  queue.tryClaim(1)?.abandon()
  expect(queue.tryDequeue()).toBeUndefined()
  expect(queue.depth).toBe(0)
})

test('a claim of more than a slot is refused', async () => {
  expect(await codeOf(() => createWorkQueue(small).tryClaim(113))).toBe('ERR_ITEM_TOO_LARGE')
})

describe('waiting without blocking', () => {
  test('dequeue() waits while the queue is empty', async () => {
    const queue = createWorkQueue(small)
    const item = queue.dequeue()
    await turn()
    queue.tryEnqueue(bytes('a'))
    expect(text(await item)).toBe('a')
  })

  test('pending calls of one participant are served in order', async () => {
    const queue = createWorkQueue(small)
    const items = Promise.all([queue.dequeue(), queue.dequeue(), queue.dequeueMany()])
    for (const name of ['a', 'b', 'c', 'd']) queue.tryEnqueue(bytes(name))
    const [first, second, rest] = await items
    expect([first, second, ...(rest ?? [])].map((item) => text(item))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('enqueue() waits while the band is full, in order of the calls', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    const puts = ['a', 'b'.repeat(500), 'c'].map((name) => queue.enqueue(bytes(name)))
    const many = queue.enqueueMany(['d', 'e'].map(bytes))
    const got: (string | undefined)[] = []
    for (let i = 0; i < 5; i++) got.push(text(await queue.dequeue()))
    expect(await Promise.all(puts)).toEqual([true, true, true])
    expect(await many).toBe(2)
    expect(got).toEqual(['a', 'b'.repeat(500), 'c', 'd', 'e'])
  })

  test('claim() waits for room', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    queue.tryEnqueue(bytes('a'))
    const claim = queue.claim(1)
    await turn()
    queue.tryDequeue()
    ;(await claim)?.publish()
    expect(queue.depth).toBe(1)
  })

  test('a waiting claim() keeps its place before later calls', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    const other = attachWorkQueue(queue.handle)
    fill(queue, 1)
    const claim = queue.claim(1, { tag: 1 })
    const put = queue.enqueue(bytes('a'), { tag: 2 })
    other.tryDequeue()
    ;(await claim)?.publish()
    expect((await other.dequeue())?.tag).toBe(1)
    expect((await other.dequeue())?.tag).toBe(2)
    expect(await put).toBe(true)
  })

  test.each([0, 4])(
    'claims pending at once follow one another, with %i items before',
    async (count) => {
      const queue = createWorkQueue({ capacity: 4, bands: 2 })
      const other = attachWorkQueue(queue.handle)
      fill(queue, count)
      const claimed = [0, 0, 1].map(async (band, tag) => {
        const claim = await queue.claim(1, { band, tag })
        await turn()
        claim?.publish()
      })
      for (let i = 0; i < count; i++) other.tryDequeue()
      await Promise.all(claimed)
      const tags = [...(other.tryDequeueMany() ?? []), ...(other.tryDequeueMany() ?? [])]
      expect(tags.map(({ tag }) => tag)).toEqual([0, 1, 2])
    },
  )

  test('claim() opens nothing before the call is over', async () => {
    const queue = createWorkQueue(small)
    const pending = queue.claim(1)
    // Whoever blocks here can publish nothing.
    expect(queue.tryEnqueue(bytes('a'))).toBe(true)
    expect(text(queue.tryDequeue())).toBe('a')
    const claim = await pending
    claim!.publish()
    expect(queue.depth).toBe(1)
  })

  test('claims that are always pending in one band keep no other one from its turn', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 0, bands: 2 })
    let claims = 0
    const over = new AbortController()
    const claimOn = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const claim = await queue.claim(1, { band: 1 })
        claims++
        await turn()
        claim!.publish()
        queue.tryDequeueMany()
      }
    }
    const loops = [claimOn(), claimOn(), claimOn()]
    await turn()
    const before = claims
    await queue.enqueue(bytes('urgent'), { band: 0 })
    const after = claims
    over.abort()
    await Promise.all(loops)
    expect(after - before).toBeLessThan(5)
  })

  test('claim() is refused while the object has a claim, and ended by close()', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    const claim = await queue.claim(1)
    expect(await codeOf(() => queue.claim(1))).toBe('ERR_CLAIM_OPEN')
    claim?.publish()
    const waiting = queue.claim(1)
    const code = codeOf(() => waiting)
    queue.close()
    expect(await code).toBe('ERR_QUEUE_CLOSED')
  })

  test('a time limit ends with undefined, false or what was done', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    expect(await queue.dequeue({ timeoutMs: 1 })).toBeUndefined()
    expect(await queue.dequeueMany({ timeoutMs: 0 })).toBeUndefined()
    expect(await queue.enqueueMany([bytes('a'), bytes('b')], { timeoutMs: 1 })).toBe(1)
    expect(await queue.enqueue(bytes('b'), { timeoutMs: 1 })).toBe(false)
    expect(await queue.claim(1, { timeoutMs: 1 })).toBeUndefined()
    const warn = vi.spyOn(process, 'emitWarning')
    expect(await queue.claim(1, { timeoutMs: 0 })).toBeUndefined()
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
    await expect(queue.dequeue({ timeoutMs: -1 })).rejects.toThrow(RangeError)
  })

  test('a signal rejects with its reason and leaves the queue as it was', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    const abort = new AbortController()
    const reason = new Error('enough')
    const pending = [
      queue.dequeue({ signal: abort.signal }),
      queue.dequeueMany({ signal: abort.signal }),
    ]
    const settled = Promise.allSettled(pending)
    abort.abort(reason)
    for (const result of await settled) expect(result).toEqual({ status: 'rejected', reason })
    await expect(queue.dequeue({ signal: abort.signal })).rejects.toBe(reason)
    queue.tryEnqueue(bytes('a'))
    expect(queue.depth).toBe(1)
  })

  test('an aborted call swallows no wake-up of another participant', async () => {
    const queue = createWorkQueue(small)
    const other = attachWorkQueue(queue.handle)
    const abort = new AbortController()
    const aborted = queue.dequeue({ signal: abort.signal })
    const item = other.dequeue()
    await turn()
    abort.abort()
    await expect(aborted).rejects.toThrow('abort')
    queue.tryEnqueue(bytes('a'))
    expect(text(await item)).toBe('a')
  })

  test('asynchronous iteration ends when the queue is closed and drained', async () => {
    const queue = createWorkQueue(small)
    fill(queue, 3)
    queue.close()
    const got: (number | undefined)[] = []
    for await (const item of queue) got.push(item.bytes[0])
    expect(got).toEqual([0, 1, 2])
  })
})

describe('cork()', () => {
  test('wakes nobody until uncork(), which wakes one after the other', async () => {
    const queue = createWorkQueue(small)
    const consumers = [attachWorkQueue(queue.handle), attachWorkQueue(queue.handle)]
    const taken: string[] = []
    const taking = consumers.map(async (consumer) =>
      taken.push(String(text(await consumer.dequeue()))),
    )
    await turn()
    queue.cork()
    queue.tryEnqueue(bytes('a'))
    queue.tryEnqueue(bytes('b'))
    await turn()
    await turn()
    expect(taken).toEqual([])
    queue.uncork()
    await Promise.all(taking)
    expect(taken.toSorted()).toEqual(['a', 'b'])
  })

  test('ends where something waits', async () => {
    const queue = createWorkQueue({ capacity: 1 })
    const consumer = attachWorkQueue(queue.handle)
    const item = consumer.dequeue()
    await turn()
    queue.cork()
    queue.tryEnqueue(bytes('a'))
    const second = queue.enqueue(bytes('b'))
    expect(text(await item)).toBe('a')
    expect(await second).toBe(true)
  })

  test('ends where a draft waits for blocks', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 64, blockBytes: 64, slotBytes: 48 })
    const consumer = attachWorkQueue(queue.handle)
    const item = consumer.dequeue()
    await turn()
    queue.cork()
    queue.tryEnqueue(new Uint8Array(64))
    const notify = vi.spyOn(Atomics, 'notify')
    const written = queue.draft().write(bytes('a'))
    expect(notify).toHaveBeenCalledOnce()
    notify.mockRestore()
    expect((await item)?.bytes.length).toBe(64)
    expect(await written).toBe(true)
  })
})

describe('close()', () => {
  test('refuses producers, lets consumers drain, then tells everybody', async () => {
    const queue = createWorkQueue({ capacity: 4, bands: 2 })
    const other = attachWorkQueue(queue.handle)
    fill(queue, 1)
    queue.tryEnqueue(bytes('b'), { band: 1 })
    other.close()
    other.close()
    expect(queue.closed).toBe(true)
    expect(queue.drained).toBe(false)
    expect(await codeOf(() => queue.tryEnqueue(bytes('c')))).toBe('ERR_QUEUE_CLOSED')
    expect(await codeOf(() => queue.enqueue(bytes('c')))).toBe('ERR_QUEUE_CLOSED')
    expect(await codeOf(() => queue.tryEnqueueMany([bytes('c')]))).toBe('ERR_QUEUE_CLOSED')
    expect(await codeOf(() => queue.tryEnqueue(new Uint8Array(1000)))).toBe('ERR_QUEUE_CLOSED')
    expect(await codeOf(() => queue.tryClaim(1))).toBe('ERR_QUEUE_CLOSED')
    expect(await codeOf(() => queue.draft().tryWrite(bytes('c')))).toBe('ERR_QUEUE_CLOSED')
    expect([await queue.dequeue(), await queue.dequeue()].map((item) => item?.band)).toEqual([0, 1])
    expect(queue.drained).toBe(true)
    expect(await queue.dequeue()).toBeUndefined()
    expect(await other.dequeueMany()).toBeUndefined()
  })

  test('wakes all pending calls', async () => {
    const queue = createWorkQueue({ capacity: 1, arenaBytes: 64, blockBytes: 64 })
    const other = attachWorkQueue(queue.handle)
    const takes = [queue.dequeue(), other.dequeue(), other.dequeueMany()]
    await turn()
    queue.close()
    expect(await Promise.all(takes)).toEqual([undefined, undefined, undefined])

    const full = createWorkQueue({ capacity: 1, arenaBytes: 64, blockBytes: 64, slotBytes: 48 })
    full.tryEnqueue(new Uint8Array(64))
    const puts = [full.enqueue(bytes('b')), full.enqueue(new Uint8Array(60))]
    const codes = Promise.all(puts.map((put) => codeOf(() => put)))
    full.close()
    expect(await codes).toEqual(['ERR_QUEUE_CLOSED', 'ERR_QUEUE_CLOSED'])
  })

  test('ends enqueueMany() with how much was accepted', async () => {
    const queue = createWorkQueue({ capacity: 2 })
    const put = queue.enqueueMany([bytes('a'), bytes('b'), bytes('c')])
    await turn()
    queue.close()
    expect(await put).toBe(2)
  })

  test('drain() returns what nobody has taken', async () => {
    const queue = createWorkQueue({ capacity: 4, bands: 2 })
    fill(queue, 3)
    queue.tryEnqueue(bytes('b'), { band: 1 })
    queue.tryDequeue()
    expect((await queue.drain()).map((item) => item.band)).toEqual([0, 0, 1])
    expect(queue.stats()).toMatchObject({ enqueued: 4, dequeued: 4 })
    expect(queue.drained).toBe(true)
  })

  describe('drain() behind a claim that stays open', () => {
    const items = [1, 100, 2].map((length) => new Uint8Array(length).fill(length))

    function behindClaim(): { queue: WorkQueue; other: WorkQueue; claim: Claim } {
      const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
      const other = attachWorkQueue(queue.handle)
      queue.tryEnqueueMany(items)
      return { queue, other, claim: queue.tryClaim(1)! }
    }

    test('is fulfilled with what it has taken when detach() comes', async () => {
      const { queue, other, claim } = behindClaim()
      const draining = other.drain()
      for (let i = 0; i < 4; i++) await turn()
      other.detach()
      expect(queue.stats().blocks.free).toBe(2)
      expect((await draining).map((item) => item.bytes)).toEqual(items)
      claim.publish()
      expect((await queue.drain()).length).toBe(1)
    })

    test('is fulfilled with what it has taken when it is aborted', async () => {
      const { other, claim } = behindClaim()
      const abort = new AbortController()
      const draining = other.drain({ signal: abort.signal })
      for (let i = 0; i < 4; i++) await turn()
      abort.abort()
      expect((await draining).map((item) => item.bytes)).toEqual(items)
      expect(other.drained).toBe(false)
      claim.publish()
      expect((await other.drain()).length).toBe(1)
    })

    test('is fulfilled with what is there when the time is over', async () => {
      const { other } = behindClaim()
      const rest = await other.drain({ timeoutMs: 1 })
      expect(rest.map((item) => item.bytes)).toEqual(items)
      expect(await other.drain({ timeoutMs: 0 })).toEqual([])
    })

    test('rejects for an abort and a detach() while nothing is taken', async () => {
      const { queue, other } = behindClaim()
      queue.tryDequeueMany()
      const abort = new AbortController()
      const draining = [queue.drain({ signal: abort.signal }), other.drain()]
      const settled = Promise.allSettled(draining)
      const reason = new Error('enough')
      abort.abort(reason)
      other.detach()
      expect(await settled).toMatchObject([{ reason }, { reason: { code: 'ERR_DETACHED' } }])
    })
  })

  test('drain() closes nothing when its signal is aborted already, or its time is none', async () => {
    const queue = createWorkQueue(small)
    await expect(queue.drain({ signal: AbortSignal.abort() })).rejects.toThrow('abort')
    await expect(queue.drain({ timeoutMs: -1 })).rejects.toThrow(RangeError)
    expect(queue.closed).toBe(false)
  })
})

describe('bands', () => {
  test('the most urgent band goes first', () => {
    const queue = createWorkQueue({ bands: 3 })
    for (const band of [2, 1, 0]) queue.tryEnqueue(bytes('x'), { band })
    expect([0, 1, 2].map(() => queue.tryDequeue()?.band)).toEqual([0, 1, 2])
  })

  test.each([2, 3, 8])('an item in the last of %i is taken within a stated bound', (bands) => {
    const ageEvery = 4
    const queue = createWorkQueue({ bands, ageEvery, capacity: 64 })
    const ahead = 3
    // All bands are always full, the most urgent above all.
    const refill = (): void => {
      for (let band = 0; band < bands - 1; band++) {
        while (queue.tryEnqueue(bytes('x'), { band })) {
          // Until full.
        }
      }
    }
    for (let i = 0; i <= ahead; i++) {
      queue.tryEnqueue(bytes('x'), { band: bands - 1, tag: i })
    }
    let taken = 0
    for (let last = false; !last; taken++) {
      refill()
      const item = queue.tryDequeue()
      last = item?.band === bands - 1 && item.tag === ahead
    }
    expect(taken).toBeLessThanOrEqual(ageEvery * (bands - 1) * (ahead + 1))
    // And no more than was due.
    expect(taken).toBeGreaterThanOrEqual(ageEvery * (ahead + 1) - 1)
  })

  test.each([1, 3, 100, 256])('with batches of %i the bound is the longer one', (max) => {
    const ageEvery = 8
    const queue = createWorkQueue({ bands: 3, ageEvery, capacity: 512 })
    for (let i = 0; i < 3; i++) queue.tryEnqueue(bytes('x'), { band: 2, tag: i })
    let taken = 0
    for (let last = false; !last;) {
      for (const band of [0, 1]) {
        while (queue.tryEnqueue(bytes('x'), { band })) {
          // Until full.
        }
      }
      const alone = queue.tryDequeue()
      const batch = queue.tryDequeueMany({ max })
      taken += 1 + (batch?.length ?? 0)
      last = [alone, ...(batch ?? [])].some((item) => item?.band === 2 && item.tag === 2)
    }
    expect(taken).toBeLessThanOrEqual((ageEvery + max + max / ageEvery) * 2 * 3)
  })

  test('batches leave lower bands their share too', () => {
    const queue = createWorkQueue({ bands: 2, ageEvery: 8, capacity: 64 })
    const share = [0, 0]
    for (let i = 0; i < 100; i++) {
      for (const band of [0, 1]) {
        while (queue.tryEnqueue(bytes('x'), { band })) {
          // Until full.
        }
      }
      const batch = queue.tryDequeueMany({ max: 32 })
      share[batch?.band ?? 0] = (share[batch?.band ?? 0] ?? 0) + (batch?.length ?? 0)
    }
    expect((share[1] ?? 0) / (share[0] ?? 0)).toBeCloseTo(1 / 8, 1)
  })
})

test('stats() tells depth, high-water mark and waiting times by band', () => {
  const queue = createWorkQueue({ bands: 2, sampleEvery: 1 })
  const other = attachWorkQueue(queue.handle)
  fill(queue, 5)
  queue.tryEnqueue(bytes('x'), { band: 1 })
  other.tryDequeueMany({ max: 3 })
  const { enqueued, dequeued, bands } = queue.stats()
  expect({ enqueued, dequeued }).toEqual({ enqueued: 6, dequeued: 3 })
  expect(bands.map(({ depth, highWater }) => ({ depth, highWater }))).toEqual([
    { depth: 2, highWater: 5 },
    { depth: 1, highWater: 1 },
  ])
  expect(bands.map(({ waits }) => waits.count)).toEqual([3, 0])
  const [band] = bands
  expect(band?.waits.quantileUs(1)).toBeGreaterThanOrEqual(band?.waits.quantileUs(0) ?? Infinity)
  expect(bands[1]?.waits.quantileUs(0.5)).toBeNaN()
})

test('stats() times no slot without an item', () => {
  const queue = createWorkQueue({ capacity: 2, sampleEvery: 1 })
  fill(queue, 2)
  queue.tryDequeueMany()
  queue.tryClaim(1)?.abandon()
  fill(queue, 1)
  expect(queue.tryDequeueMany()?.length).toBe(1)
  const { dequeued, bands } = queue.stats()
  expect([dequeued, bands[0]?.waits.count]).toEqual([3, 3])
})

describe('participants', () => {
  test('attachWorkQueue() gives numbers, and detach() gives them back', async () => {
    const queue = createWorkQueue({ maxParticipants: 1 })
    const others = Array.from({ length: 31 }, () => attachWorkQueue(queue.handle))
    expect(await codeOf(() => attachWorkQueue(queue.handle))).toBe('ERR_TOO_MANY_PARTICIPANTS')
    const [first] = others
    first?.detach()
    first?.detach()
    expect(attachWorkQueue(queue.handle).participant).toBe(first?.participant)
    expect(queue.participants().length).toBe(32)
  })

  test('attachWorkQueue() refuses what is not a handle', async () => {
    const wrong: unknown[] = [
      undefined,
      {},
      { type: 'elkyn.work-queue', buffer: new SharedArrayBuffer(100) },
    ]
    for (const handle of wrong) {
      expect(await codeOf(() => attachWorkQueue(handle as never))).toBe('ERR_HANDLE_INVALID')
    }
  })

  test('detach() rejects pending calls and gives all blocks back', async () => {
    const queue = createWorkQueue({ arenaBytes: 640, blockBytes: 64 })
    const other = attachWorkQueue(queue.handle)
    other.draft().tryWrite(new Uint8Array(100))
    queue.tryEnqueue(new Uint8Array(200))
    const item = other.tryDequeue()
    const pending = other.dequeue()
    const code = codeOf(() => pending)
    other.detach()
    expect(await code).toBe('ERR_DETACHED')
    expect(await codeOf(() => other.tryDequeue())).toBe('ERR_DETACHED')
    expect(queue.stats().blocks.free).toBe(10)
    item?.release()
    expect(queue.stats().blocks.free).toBe(10)
  })

  test('a call of whoever gets the number of a detached one is woken', async () => {
    // Without the insurance, see MAX_SLEEP_MS.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const queue = createWorkQueue(small)
      const first = attachWorkQueue(queue.handle)
      const code = codeOf(() => first.dequeue())
      first.detach()
      const second = attachWorkQueue(queue.handle)
      expect(second.participant).toBe(first.participant)
      const item = second.dequeue()
      // The end of the first sleep arrives.
      expect(await code).toBe('ERR_DETACHED')
      for (let i = 0; i < 10; i++) await turn()
      const notify = vi.spyOn(Atomics, 'notify')
      queue.tryEnqueue(bytes('a'))
      expect(notify).toHaveBeenCalledOnce()
      expect(text(await item)).toBe('a')
    } finally {
      vi.restoreAllMocks()
      vi.useRealTimers()
    }
  })

  describe('detach() takes no item in blocks from a call that has taken it and is not fulfilled yet', () => {
    const long = [1, 2].map((byte) => new Uint8Array(100).fill(byte))
    const sizes = { arenaBytes: 256, blockBytes: 64, slotBytes: 48 }
    const loop = async (queue: WorkQueue, see: (item: WorkItem) => void): Promise<void> => {
      for await (const item of queue) see(item)
    }

    afterEach(() => {
      vi.restoreAllMocks()
    })

    test.each<[string, (queue: WorkQueue) => Promise<(WorkItem | undefined)[]>]>([
      ['dequeue()', (queue) => Promise.all([queue.dequeue(), queue.dequeue()])],
      ['dequeueMany()', async (queue) => [...(await queue.dequeueMany())!]],
    ])('%s', async (_, take) => {
      const queue = createWorkQueue(sizes)
      const other = attachWorkQueue(queue.handle)
      // Long enough for a turn of the event loop to be due before it is fulfilled.
      const end = performance.now() + 2
      while (performance.now() < end);
      queue.tryEnqueueMany(long)
      const taking = take(other)
      other.detach()
      expect(queue.stats().blocks.free).toBe(4)
      expect((await taking).map((item) => item?.bytes)).toEqual(long)
    })

    test('also where it had to wait', async () => {
      const queue = createWorkQueue(sizes)
      const other = attachWorkQueue(queue.handle)
      const taking = other.dequeue()
      const finish = vi.spyOn(Ring.prototype, 'finishDequeue')
      finish.mockImplementationOnce(function (this: Ring) {
        finish.mockRestore()
        this.finishDequeue()
        queueMicrotask(() => other.detach())
      })
      queue.tryEnqueue(long[0]!)
      expect((await taking)?.bytes).toEqual(long[0])
      expect(queue.stats().blocks.free).toBe(4)
    })

    test('also where the item is on its way through an iterator', async () => {
      const queue = createWorkQueue(sizes)
      const other = attachWorkQueue(queue.handle)
      const seen: unknown[] = []
      const loops = [0, 1].map(async () => {
        await loop(other, (item) => {
          seen.push(item.bytes)
          other.detach()
        })
      })
      queue.tryEnqueueMany(long)
      const results = await Promise.allSettled(loops)
      expect(results).toMatchObject([0, 1].map(() => ({ reason: { code: 'ERR_DETACHED' } })))
      expect(seen).toEqual(long)
    })
  })

  test('detach() gives back the blocks of an item that its caller has for long', async () => {
    const queue = createWorkQueue({ arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const other = attachWorkQueue(queue.handle)
    queue.tryEnqueue(new Uint8Array(100))
    const item = await other.dequeue()
    await turn()
    await turn()
    other.detach()
    expect(() => item?.bytes).toThrow('its blocks were given back')
    expect(queue.stats().blocks.free).toBe(2)
  })

  test('claim() opens no claim after detach()', async () => {
    const queue = createWorkQueue(small)
    const other = attachWorkQueue(queue.handle)
    const claim = other.claim(8)
    other.detach()
    expect(await codeOf(() => claim)).toBe('ERR_DETACHED')
    queue.tryEnqueue(bytes('a'))
    expect(text(queue.tryDequeue())).toBe('a')
  })

  test('detach() leaves no slot claimed when one claim() is fulfilled and others wait', async () => {
    const queue = createWorkQueue({ capacity: 4, bands: 2 })
    const other = attachWorkQueue(queue.handle)
    const first = other.claim(8)
    const waiting = [other.claim(8), other.claim(8, { band: 1 })]
    const codes = Promise.all(waiting.map(async (claim) => codeOf(async () => claim)))
    await first
    other.detach()
    expect(await codes).toEqual(['ERR_DETACHED', 'ERR_DETACHED'])
    for (const band of [0, 1]) {
      queue.tryEnqueue(bytes('a'), { band })
      expect(text(queue.tryDequeue())).toBe('a')
    }
  })

  test('a draft gives no block back that detach() has given back before', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const other = attachWorkQueue(queue.handle)
    const draft = other.draft()
    draft.tryWrite(new Uint8Array(64).fill(1))
    const waiting = other.draft()
    const written = waiting.write(new Uint8Array(128))
    const code = codeOf(() => written)
    other.detach()
    expect(await code).toBe('ERR_DETACHED')
    // The blocks are another's now.
    queue.tryEnqueue(new Uint8Array(128).fill(2))
    draft.discard()
    waiting.discard()
    expect(queue.stats().blocks.free).toBe(0)
    expect(queue.tryDequeue()?.bytes).toEqual(new Uint8Array(128).fill(2))
  })

  test('a long enqueue() that detach() has rejected gives no block back twice', async () => {
    const queue = createWorkQueue({ capacity: 1, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const other = attachWorkQueue(queue.handle)
    fill(queue, 1)
    const pending = other.enqueue(new Uint8Array(128).fill(1))
    const code = codeOf(() => pending)
    expect(queue.stats().blocks.free).toBe(0)
    other.detach()
    queue.tryDequeue()
    queue.tryEnqueue(new Uint8Array(128).fill(2))
    expect(await code).toBe('ERR_DETACHED')
    expect(queue.stats().blocks.free).toBe(0)
    expect(queue.tryDequeue()?.bytes).toEqual(new Uint8Array(128).fill(2))
  })

  test('a draft takes no blocks after detach()', async () => {
    const queue = createWorkQueue({ arenaBytes: 128, blockBytes: 64 })
    const other = attachWorkQueue(queue.handle)
    const draft = other.draft()
    other.detach()
    expect(await codeOf(() => draft.tryReserve(1))).toBe('ERR_DETACHED')
    expect(await codeOf(() => draft.tryWrite(bytes('a')))).toBe('ERR_DETACHED')
    expect(await codeOf(() => draft.write(bytes('a')))).toBe('ERR_DETACHED')
    expect(queue.stats().blocks.free).toBe(2)
  })

  test('the forms that block are refused on the main thread', async () => {
    const queue = createWorkQueue()
    fill(queue, 1)
    for (const block of [
      () => queue.dequeueSync(),
      () => queue.dequeueManySync(),
      () => queue.enqueueSync(bytes('a')),
      () => queue.enqueueManySync([bytes('a')]),
      () => queue.claimSync(1),
      () => queue.draft().writeSync(bytes('a')),
    ]) {
      expect(await codeOf(block)).toBe('ERR_MAIN_THREAD')
    }
  })

  test('reap() refuses the own participant and numbers that do not exist', async () => {
    const queue = createWorkQueue()
    await expect(queue.reap(queue.participant)).rejects.toThrow(TypeError)
    await expect(queue.reap(32)).rejects.toThrow(RangeError)
  })

  test('reap() gives what it has taken out also when detach() comes meanwhile', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const [dead, living] = [attachWorkQueue(queue.handle), attachWorkQueue(queue.handle)]
    const long = new Uint8Array(100).fill(7)
    queue.tryEnqueue(long)
    queue.tryEnqueue(bytes('b'))
    // It dies before it releases the two slots.
    vi.spyOn(Ring.prototype, 'release').mockImplementationOnce(() => {
      throw new Error('killed')
    })
    expect(() => dead.tryDequeueMany()).toThrow('killed')
    vi.restoreAllMocks()
    // Another one is about to own the second, for all that can be seen.
    const { buffer } = queue.handle
    const words = new Int32Array(buffer)
    const cell = cellAt(layoutOf(readSizes(words)!), living.participant)
    words[cell + CELL.DEQUEUE_POSITION] = 2
    words[cell + CELL.DEQUEUE_COUNT] = 1
    const reaping = queue.reap(dead.participant)
    queue.detach()
    const { returned } = await reaping
    expect(returned.map((item) => item.bytes)).toEqual([long])
    expect(living.stats().blocks.free).toBe(2)
    words[cell + CELL.DEQUEUE_COUNT] = 0
    const rest = await living.reap(dead.participant)
    expect(rest.returned.map(text)).toEqual(['b'])
  })

  test('what reap() has taken out stays when detach() comes before it is looked at', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
    const dead = attachWorkQueue(queue.handle)
    const long = new Uint8Array(100).fill(7)
    queue.tryEnqueue(long)
    vi.spyOn(Ring.prototype, 'release').mockImplementationOnce(() => {
      throw new Error('killed')
    })
    expect(() => dead.tryDequeue()).toThrow('killed')
    vi.restoreAllMocks()
    const reaping = queue.reap(dead.participant)
    queue.detach()
    const { returned } = await reaping
    expect(returned.map((item) => item.bytes)).toEqual([long])
  })

  test('reap() finds an item whole that another reaper has died over', async () => {
    const queue = createWorkQueue({ capacity: 4, arenaBytes: 256, blockBytes: 64, slotBytes: 48 })
    const [dead, reaper] = [attachWorkQueue(queue.handle), attachWorkQueue(queue.handle)]
    const long = new Uint8Array(100).fill(7)
    queue.tryEnqueue(long, { tag: 1 })
    queue.tryEnqueue(bytes('b'), { tag: 2 })
    const release = vi.spyOn(Ring.prototype, 'release')
    // It dies between the two slots, of which the last is released first.
    release.mockImplementationOnce(function (this: Ring, first) {
      this.release(first + 2, 1)
      throw new Error('killed')
    })
    expect(() => dead.tryDequeueMany()).toThrow('killed')
    release.mockImplementationOnce(() => {
      throw new Error('killed')
    })
    await expect(reaper.reap(dead.participant)).rejects.toThrow('killed')
    vi.restoreAllMocks()
    await queue.reap(reaper.participant)
    // Somebody living writes into what is free.
    using draft = queue.draft()
    expect(draft.tryWrite(new Uint8Array(128).fill(8))).toBe(true)
    const { returned, inHand } = await queue.reap(dead.participant)
    expect(returned.map((item) => item.bytes)).toEqual([long])
    expect(inHand).toEqual([2])
    expect(queue.stats().blocks.free).toBe(2)
    queue.tryEnqueue(draft)
    expect(queue.tryDequeue()?.bytes).toEqual(new Uint8Array(128).fill(8))
    expect(queue.stats().blocks.free).toBe(4)
  })

  describe('reapThread()', () => {
    const deadThread = 1000

    /** A participant that has died with a claim, at a slot that another one is about to own, for all that can be seen. */
    function deadBesideLiving(): {
      queue: WorkQueue
      living: WorkQueue
      dead: number
      moveOn: () => void
    } {
      const queue = createWorkQueue({ capacity: 4, arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
      const [dead, living] = [attachWorkQueue(queue.handle), attachWorkQueue(queue.handle)]
      dead.draft().tryWrite(new Uint8Array(100))
      dead.tryClaim(1)
      const words = new Int32Array(queue.handle.buffer)
      const layout = layoutOf(readSizes(words)!)
      words[cellAt(layout, dead.participant) + CELL.OWNER] = deadThread + 1
      const cell = cellAt(layout, living.participant)
      words[cell + CELL.ENQUEUE_COUNT] = 1
      const moveOn = (): void => void (words[cell + CELL.ENQUEUE_COUNT] = 0)
      return { queue, living, dead: dead.participant, moveOn }
    }

    test('finishes what was cut short by detach()', async () => {
      const { queue, living, dead, moveOn } = deadBesideLiving()
      const reaping = queue.reapThread(deadThread)
      queue.detach()
      expect(await reaping).toMatchObject([{ participant: dead, abandoned: 0 }])
      moveOn()
      const rest = await living.reapThread(deadThread)
      expect(rest).toMatchObject([{ participant: dead, threadId: deadThread, abandoned: 1 }])
      expect(living.stats().blocks.free).toBe(2)
      living.tryEnqueue(bytes('a'))
      expect(text(living.tryDequeue())).toBe('a')
      expect(await living.reapThread(deadThread)).toEqual([])
    })

    test('takes nothing away from a call of the same object that is at it', async () => {
      const { queue, moveOn } = deadBesideLiving()
      const reaping = queue.reapThread(deadThread)
      expect(await queue.reapThread(deadThread)).toEqual([])
      moveOn()
      expect(await reaping).toMatchObject([{ threadId: deadThread, abandoned: 1 }])
    })

    test('refuses what is no id of a thread, as that of a worker that has ended', async () => {
      for (const threadId of [-1, 1.5, NaN, '1' as unknown as number]) {
        await expect(createWorkQueue().reapThread(threadId)).rejects.toThrow(RangeError)
      }
    })

    test('shares with another object that is at it, and each thing is in one report', async () => {
      const { queue, living, moveOn } = deadBesideLiving()
      const reaping = [queue.reapThread(deadThread), living.reapThread(deadThread)]
      moveOn()
      const reports = (await Promise.all(reaping)).flat()
      expect(reports.length).toBe(2)
      expect(reports.reduce((sum, { abandoned }) => sum + abandoned, 0)).toBe(1)
    })
  })

  test('reap() of a number that nobody has finds nothing', async () => {
    const report = await createWorkQueue().reap(5)
    expect(report).toEqual({ participant: 5, threadId: -1, returned: [], inHand: [], abandoned: 0 })
  })
})
