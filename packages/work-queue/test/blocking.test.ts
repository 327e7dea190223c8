import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import process from 'node:process'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { runInThisContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { createWorkQueue } from '../src/index.ts'
import type { WorkQueue } from '../src/index.ts'
import type { HandleMessage } from './threads/handle-thread.ts'

const one = Uint8Array.of(1)
let workers: Worker[] = []

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()))
  workers = []
})

function start(queue: WorkQueue, action: string): Worker {
  const workerData = { handle: queue.handle, action }
  const url = new URL('threads/blocking-thread.ts', import.meta.url)
  const worker = new Worker(url, { workerData })
  workers.push(worker)
  return worker
}

async function answer(worker: Worker): Promise<unknown> {
  const [message] = (await once(worker, 'message')) as [unknown]
  return message
}

test('a handle travels as workerData, in a message, and from thread to thread', async () => {
  const queue = createWorkQueue()
  const url = new URL('threads/handle-thread.ts', import.meta.url)
  const { handle } = queue
  const first: HandleMessage = { handle, tag: 1, further: 0 }
  workers.push(new Worker(url, { workerData: first }))
  for (const [tag, further] of [
    [2, 0],
    [3, 2],
  ] as const) {
    const worker = new Worker(url)
    const message: HandleMessage = { handle, tag, further }
    worker.postMessage(message)
    workers.push(worker)
  }
  const tags = [await queue.dequeue(), await queue.dequeue(), await queue.dequeue()]
  expect(new Set(tags.map((item) => item?.tag))).toEqual(new Set([1, 2, 3]))
})

test('dequeueSync() sleeps until an item comes', async () => {
  const queue = createWorkQueue()
  const answers = [1, 2, 3].map(() => answer(start(queue, 'take one')))
  for (const tag of [1, 2, 3]) await queue.enqueue(one, { tag })
  expect(new Set(await Promise.all(answers))).toEqual(new Set([1, 2, 3]))
})

test('dequeueSync() is woken although an older call is pending', async () => {
  const queue = createWorkQueue()
  const worker = start(queue, 'take one while another call is pending')
  expect(await answer(worker)).toBe('asleep')
  // It says so just before.
  for (let i = 0; i < 100; i++) await setImmediate()
  queue.tryEnqueue(one, { tag: 1 })
  expect(await answer(worker)).toMatch(/^(ok|not-equal)$/)
  queue.tryEnqueue(one, { tag: 2 })
  expect(await answer(worker)).toEqual([1, 2])
})

test('dequeueManySync() sleeps until an item comes', async () => {
  const queue = createWorkQueue()
  const count = answer(start(queue, 'take many'))
  queue.tryEnqueue(one)
  expect(await count).toBe(1)
})

test('dequeueSync() returns undefined when the time is over or the queue is closed', async () => {
  const queue = createWorkQueue()
  expect(await answer(start(queue, 'take nothing in time'))).toEqual([undefined, undefined])
  const sleeping = answer(start(queue, 'take one'))
  queue.close()
  expect(await sleeping).toBeUndefined()
})

test('the forms that put give up when the time is over', async () => {
  const queue = createWorkQueue({ capacity: 4 })
  expect(await answer(start(queue, 'put until full'))).toEqual([4, 0, undefined, false])
  expect(queue.stats().blocks).toMatchObject({ total: 256, free: 256 })
})

test.each(['put one', 'put many', 'write in place'])(
  '%s sleeps until there is room',
  async (action) => {
    const queue = createWorkQueue({ capacity: 1 })
    queue.tryEnqueue(one, { tag: 1 })
    const expected = { 'put one': true, 'put many': 3, 'write in place': 3 }[action]
    const result = answer(start(queue, action))
    const count = action === 'put many' ? 4 : 2
    for (let i = 0; i < count; i++) expect(await queue.dequeue()).toBeDefined()
    expect(await result).toBe(expected)
  },
)

test('enqueueManySync() tells how much is in when a later item is refused', async () => {
  const queue = createWorkQueue({ arenaBytes: 0 })
  expect(await answer(start(queue, 'put many of which one is too large'))).toBe(1)
  expect(queue.depth).toBe(1)
})

test('a sleeping producer is refused when the queue is closed', async () => {
  const queue = createWorkQueue({ capacity: 1 })
  queue.tryEnqueue(one)
  const code = answer(start(queue, 'put one'))
  queue.close()
  expect(await code).toBe('ERR_QUEUE_CLOSED')
})

test('a draft blocks for its blocks', async () => {
  const queue = createWorkQueue({ arenaBytes: 2048, blockBytes: 64 })
  queue.tryEnqueue(new Uint8Array(1000))
  expect(await answer(start(queue, 'write a draft'))).toEqual([true, true, false, true])
  expect([...(queue.tryDequeueMany() ?? [])].map((item) => item.byteLength)).toEqual([1000, 100])
})

test('reap() frees the blocks and the claim of a thread that was killed', async () => {
  const queue = createWorkQueue({ arenaBytes: 640, blockBytes: 64 })
  const worker = start(queue, 'hold everything and die')
  const { threadId } = worker
  expect(await answer(worker)).toBe('ready')
  expect(queue.stats().blocks.free).toBe(5)
  queue.tryEnqueue(one, { tag: 3 })
  // It stands behind the claim.
  expect(queue.tryDequeue()).toBeUndefined()
  const item = queue.dequeue()
  await worker.terminate()
  const reports = await queue.reapThread(threadId)
  expect(reports).toMatchObject([{ threadId, abandoned: 1, returned: [], inHand: [] }])
  expect((await item)?.tag).toBe(3)
  expect(queue.stats().blocks.free).toBe(10)
  expect(queue.participants().length).toBe(1)
})

test('reap() tells what a killed thread had in hand', async () => {
  const queue = createWorkQueue()
  const worker = start(queue, 'take one')
  const { threadId } = worker
  queue.tryEnqueue(one, { tag: 2 ** 32 - 1 })
  expect(await answer(worker)).toBe(2 ** 32 - 1)
  await worker.terminate()
  expect(await queue.reapThread(threadId)).toMatchObject([{ inHand: [2 ** 32 - 1], abandoned: 0 }])
})

const index = new URL('../src/index.ts', import.meta.url).href

function runScript(script: string, options = ''): string {
  const program = `import { createWorkQueue } from '${index}'
    import { runInThisContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
    const queue = createWorkQueue(${options})
    ${script}`
  // A process that does not end by itself is killed and fails the test.
  const args = ['--input-type=module', '-e', program]
  return String(execFileSync(process.execPath, args, { timeout: 60_000 })).trim()
}

test('a pending dequeue() keeps the process alive', () => {
  const worker = `import { attachWorkQueue } from '${index}'
    import { workerData } from 'node:worker_threads'
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    attachWorkQueue(workerData).tryEnqueue(Uint8Array.of(5))`
  const url = `data:text/javascript,${encodeURIComponent(worker)}`
  const out = runScript(`
    new Worker(new URL(${JSON.stringify(url)}), { workerData: queue.handle }).unref()
    console.log((await queue.dequeue()).bytes[0])`)
  expect(out).toBe('5')
})

test('a queue without pending calls lets the process end', () => {
  expect(runScript('await queue.dequeue({ timeoutMs: 1 }); console.log("end")')).toBe('end')
})

test.each([
  ['is put back into its band', '', 'came back: 42 of band 1'],
  ['of a closed queue is dealt with', 'queue.close()', 'finished: 42 of band 1'],
])('with the lines of the README an item of a killed thread %s', (_, close, expected) => {
  const lines = readmeLines('const { threadId } = worker')
  expect(lines).toContain('reapThread')
  const url = new URL('threads/blocking-thread.ts', import.meta.url)
  const out = runScript(
    `import { once } from 'node:events'
    const print = (what, { tag, band }) => console.log(\`\${what}: \${tag} of band \${band}\`)
    const finish = (item) => print('finished', item)
    queue.tryEnqueue(Uint8Array.of(7), { band: 1, tag: 42 })
    const workerData = { handle: queue.handle, action: 'take one and die before that is known' }
    const worker = new Worker(new URL('${url.href}'), { workerData, execArgv: [] })
    ${lines}
    await once(worker, 'message')
    ${close}
    void worker.terminate()
    const item = await queue.dequeue()
    if (item !== undefined) print('came back', item)`,
    '{ bands: 2 }',
  )
  expect(out).toBe(expected)
})

test('with the lines of the README a long item comes in by chunks and goes to a slow socket', async () => {
  const queue = createWorkQueue()
  const length = 8 * 1024 * 1024
  const send = evaluated(readmeLines('const draft = queue.draft()'), 'queue, request')
  const chunks = Array.from({ length: 128 }, () => new Uint8Array(length / 128).fill(65))
  await send(queue, Readable.from(chunks))
  const item = (await queue.dequeue())!
  expect(item.byteLength).toBe(length)

  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [inPlace, copied] = readmeLines('const write = promisify').split('item.bytes')
  expect(copied).toContain('released')
  const sending = evaluated(inPlace!, 'item, socket, promisify')(item, socket, promisify)
  // The system has taken what it takes; the rest is read while the client does, and then the blocks are another's.
  await setImmediate()
  expect(queue.stats().blocks.free).toBe(128)
  const next = sending.then(() => queue.enqueue(new Uint8Array(length).fill(66)))
  let count = 0
  for await (const chunk of client as AsyncIterable<Buffer>) {
    expect(chunk.every((byte) => byte === 65)).toBe(true)
    count += chunk.length
    if (count === length) break
  }
  expect(await next).toBe(true)
  socket.destroy()
  server.close()
})

test('with the lines of the README nothing stays taken of an item that breaks off, or finds no room', async () => {
  const queue = createWorkQueue({ arenaBytes: 128, blockBytes: 64, slotBytes: 48 })
  const lines = readmeLines('const draft = queue.draft()').replace('30_000', '1')
  const send = evaluated(lines, 'queue, request')
  const chunks = [new Uint8Array(64), new Uint8Array(64), new Uint8Array(64)]
  await expect(send(queue, broken(chunks))).rejects.toThrow('gone')
  queue.tryEnqueue(new Uint8Array(64))
  await expect(send(queue, Readable.from(chunks.slice(1)))).rejects.toThrow('no room')
  expect(queue.stats().blocks.free).toBe(1)
  expect(queue.depth).toBe(1)
})

async function* broken(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield chunks[0]!
  throw new Error('gone')
}

/** The block of code in the README that begins with a line. */
function readmeLines(beginning: string): string {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const block = readme.split('```js\n').find((text) => text.startsWith(beginning))
  if (block === undefined) throw new Error(`The README has no code that begins with ${beginning}`)
  return block.slice(0, block.indexOf('```'))
}

function evaluated(lines: string, parameters: string): (...values: unknown[]) => Promise<unknown> {
  return runInThisContext(`(async (${parameters}) => {${lines}})`) as ReturnType<typeof evaluated>
}
