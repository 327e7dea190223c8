import { spawnSync } from 'node:child_process'
import fs, { readFileSync, renameSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openTree } from '../src/index.ts'
import { Lmdb } from '../src/lmdb.ts'
import { openStore } from './open-store.ts'
import { runProgram } from './program.ts'
import { temporaryFolder } from './temporary-folder.ts'

/*
 * What a write does to the disk before it is answered is seen by `strace` only: the page cache of the
 * system survives whatever is done to a process. Not on all systems, and in few containers, may a
 * process trace another.
 */
const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0

const calls = 'openat,fdatasync,fsync,pwrite64,writev,write'

function traced(output: string): readonly string[] {
  return ['strace', '-f', '-y', '-e', `trace=${calls}`, '-o', output]
}

/** What happened to the data file and when lines were printed, in the order of the trace. */
type Event = 'write' | 'sync' | 'meta' | 'folder sync' | { readonly printed: string }

function readTrace(file: string, folder: string): Event[] {
  const events: Event[] = []
  let meta = 'none'
  for (const line of wholeCalls(readFileSync(file, 'latin1'))) {
    const opened = /data\.mdb", O_WRONLY\|O_DSYNC.* = (?<fd>\d+)</.exec(line)?.groups?.['fd']
    if (opened !== undefined) meta = opened
    const printed = /\bwrite\(1<[^>]*>, "(?<text>.*)\\n"/.exec(line)?.groups?.['text']
    if (printed !== undefined) events.push({ printed })
    if (!/ = \d+$/.test(line)) continue
    if (line.includes(`fsync(`) && line.includes(`<${folder}>)`)) events.push('folder sync')
    if (!line.includes(`<${folder}/data.mdb>`)) continue
    if (/\bf(?:data)?sync\(/.test(line)) events.push('sync')
    else if (line.includes(`(${meta}<`)) events.push('meta')
    else if (/\b(?:pwrite64|writev)\(/.test(line)) events.push('write')
  }
  return events
}

/** Each call in one line, where it ended: calls of several threads interrupt each other. */
function* wholeCalls(trace: string): Iterable<string> {
  const begun = new Map<string, string>()
  for (const line of trace.split('\n')) {
    const { thread = '', call = '' } = /^(?<thread>\d+) +(?<call>.*)$/.exec(line)?.groups ?? {}
    if (call.endsWith(' <unfinished ...>')) {
      begun.set(thread, call.slice(0, -' <unfinished ...>'.length))
    } else if (call.startsWith('<... ')) {
      yield `${begun.get(thread)}${call.replace(/^<\.\.\. \w+ resumed>/, '')}`.replace(/ +=/, ' =')
    } else yield call.replace(/ +=/, ' =')
  }
}

function printedAt(events: readonly Event[], text: string): number {
  return events.findIndex((event) => typeof event === 'object' && event.printed === text)
}

test.skipIf(!canTrace)(
  'an answered write was synced before, and the meta page after it',
  async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'data')
    const output = join(folder.path, 'trace')
    await using program = runProgram('acknowledge', [path, 'full', '12'], { under: traced(output) })
    expect(await program.finish()).toBe(0)
    const events = readTrace(output, path)
    for (let number = 1; number <= 12; number++) {
      const since = printedAt(events, number === 1 ? 'open' : String(number - 1)) + 1
      const happened = events.slice(since, printedAt(events, String(number)))
      expect(happened.filter((event) => event !== 'write')).toEqual(['sync', 'meta'])
      expect(happened.lastIndexOf('write')).toBeLessThan(happened.indexOf('sync'))
    }
  },
)

test.skipIf(!canTrace)(
  'the name of a new data file is synced before a write is answered',
  async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'data')
    const output = join(folder.path, 'trace')
    await using program = runProgram('acknowledge', [path, 'full', '1'], { under: traced(output) })
    expect(await program.finish()).toBe(0)
    const events = readTrace(output, path)
    const synced = events.indexOf('folder sync', events.indexOf('write'))
    expect(synced).toBeGreaterThan(0)
    expect(synced).toBeLessThan(printedAt(events, '1'))
  },
)

test.skipIf(!canTrace)('relaxed writes are synced later, and at the end', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'data')
  const output = join(folder.path, 'trace')
  await using program = runProgram('acknowledge', [path, 'relaxed', '60', '1', 'wait'], {
    under: traced(output),
  })
  for (let line = await program.line(); line !== '60'; line = await program.line());
  // Without a further write, within a second or so.
  const synced = (since: string) => {
    const events = readTrace(output, path)
    return events.slice(printedAt(events, since)).includes('sync')
  }
  while (!synced('60')) await setImmediate()
  const events = readTrace(output, path)
  const whileWriting = events.slice(printedAt(events, 'open'), printedAt(events, '60'))
  expect(whileWriting.filter((event) => event === 'sync').length).toBeLessThan(10)
  program.process.stdin.write('more\n')
  expect(await program.line()).toBe('61')
  expect(await program.finish()).toBe(0)
  expect(synced('61')).toBe(true)
})

test('a thread that does not return to its event loop syncs relaxed writes itself, once a second', async () => {
  using folder = temporaryFolder()
  vi.useFakeTimers({ toFake: ['performance'] })
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const sync = vi.spyOn(fs, 'fdatasyncSync')
  syncBuiltinESMExports()
  onTestFinished(() => {
    vi.useRealTimers()
    sync.mockRestore()
    syncBuiltinESMExports()
  })
  const failed: unknown = expect.objectContaining({ code: 'ERR_STORE_FAILED' })
  for (let write = 0; write < 95; write++) {
    tree.setSync('/a', write)
    vi.advanceTimersByTime(100)
  }
  expect(sync).toHaveBeenCalledTimes(8)
  vi.advanceTimersByTime(5000)
  tree.idle()
  expect(sync).toHaveBeenCalledTimes(9)
  vi.advanceTimersByTime(5000)
  // Nothing is left to be synced.
  tree.idle()
  expect(sync).toHaveBeenCalledTimes(9)
  tree.setSync('/a', 'synced by the next one')
  tree.idle()
  expect(sync).toHaveBeenCalledTimes(10)
  tree.setSync('/a', 'not synced')
  vi.advanceTimersByTime(5000)
  sync.mockImplementationOnce(() => {
    throw new Error('EIO')
  })
  expect(() => {
    tree.setSync('/a', 'refused')
  }).toThrow(failed)
  expect(tree.get('/a')).toBe('not synced')
  vi.advanceTimersByTime(5000)
  tree.idle()
  expect(sync).toHaveBeenCalledTimes(12)
  tree.setSync('/a', 'again')
})

test('no write waits for a sync in a thread that returns to its event loop late', async () => {
  using folder = temporaryFolder()
  vi.useFakeTimers({ toFake: ['performance'] })
  const intervals = vi.spyOn(globalThis, 'setInterval')
  const waited = vi.spyOn(fs, 'fdatasyncSync')
  syncBuiltinESMExports()
  onTestFinished(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  })
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const [turn] = intervals.mock.calls.find(([, delay]) => delay === 1000)!
  for (let turns = 0; turns < 5; turns++) {
    tree.setSync('/a', turns)
    vi.advanceTimersByTime(1900)
    tree.setSync('/b', turns)
    turn()
  }
  expect(waited).not.toHaveBeenCalled()
  // From here on it does not return.
  for (let second = 1; second <= 5; second++) {
    vi.advanceTimersByTime(1000)
    tree.setSync('/a', second)
  }
  expect(waited).toHaveBeenCalledTimes(4)
  turn()
  vi.advanceTimersByTime(1900)
  tree.setSync('/a', 'late')
  expect(waited).toHaveBeenCalledTimes(4)
})

test('a thread that does not return to its event loop syncs the file that it has opened, whatever its path leads to', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'data')
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  await using tree = await openTree({ path, durability: 'relaxed' })
  tree.setSync('/a', 1)
  vi.advanceTimersByTime(5000)
  renameSync(path, `${path}-elsewhere`)
  tree.idle()
  renameSync(`${path}-elsewhere`, path)
  tree.setSync('/a', 2)
  expect(tree.get('/a')).toBe(2)
})

test('a store that closes says that a sync has failed of which no writer was told', async () => {
  using folder = temporaryFolder()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const store = openStore({ path: folder.path })
  vi.spyOn(Lmdb.prototype, 'sync').mockRejectedValueOnce(new Error('EIO'))
  const closed = vi.spyOn(Lmdb.prototype, 'close')
  onTestFinished(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })
  vi.advanceTimersByTime(1000)
  await expect(store.close()).rejects.toThrow('EIO')
  expect(closed).toHaveBeenCalledOnce()
})

test('a store that closes lets a sync come to its end that has begun', async () => {
  using folder = temporaryFolder()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const store = openStore({ path: folder.path })
  const slow = Promise.withResolvers<void>()
  vi.spyOn(Lmdb.prototype, 'sync').mockReturnValueOnce(slow.promise).mockResolvedValue()
  const closed = vi.spyOn(Lmdb.prototype, 'close')
  onTestFinished(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })
  vi.advanceTimersByTime(1000)
  const closing = store.close()
  for (let turn = 0; turn < 3; turn++) await setImmediate()
  expect(closed).not.toHaveBeenCalled()
  slow.resolve()
  await closing
  expect(closed).toHaveBeenCalledOnce()
})
