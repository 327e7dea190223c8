import { rootPath } from '@elkyn/tree'
import { expect, onTestFinished, test, vi } from 'vitest'
import { nowhere } from '../../test/streams/nowhere.ts'
import { silentLog } from '../log.ts'
import type { Answer } from '../message.ts'
import type { StreamPlan } from '../plan.ts'
import { Refusal } from '../refusal.ts'
import { StreamHub } from './stream-hub.ts'
import { resolveStreamOptions } from './stream-options.ts'
import type { StreamResult } from './stream-job.ts'
import type { StreamSource } from './stream-source.ts'
import type { SubscriptionRequests } from './subscription-requests.ts'
import { resolveLimits } from '../limits.ts'

function queryOf(orderBy: string): StreamPlan {
  const query = { query: { orderBy }, shape: 'value' } as const
  const target = { path: rootPath, shownPath: rootPath, form: 'plain', query } as const
  return { kind: 'stream', target, lastEventId: undefined }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const never = Promise.withResolvers<never>().promise

/** What does nothing that it is asked for. */
const idleSource: StreamSource = {
  listen: () => never,
  run: () => never,
  readLarge: () => never,
  check: () => never,
}

test('few targets are looked at at one time, and those that nobody wants any more are not', async () => {
  // How much is done in a turn does not depend on how busy the machine is.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0)
  onTestFinished(() => clock.mockRestore())
  const looks: { readonly orderBy: string; readonly end: () => void }[] = []
  const source: StreamSource = {
    ...idleSource,
    async check({ query }) {
      const { promise, resolve } = Promise.withResolvers<void>()
      looks.push({ orderBy: query!.query.orderBy, end: resolve })
      await promise
    },
  }
  const limits = resolveStreamOptions({}, resolveLimits({}))
  const hub = new StreamHub(source, limits, silentLog)
  const requests = (kind: string): SubscriptionRequests =>
    new Map(Array.from({ length: 100 }, (_, index) => [`s${index}`, { url: `${kind}${index}` }]))
  const written: string[] = []
  const stream = { ...nowhere, write: (bytes: Uint8Array) => written.push(String(bytes)) > 0 }
  hub.openNamed(requests('a'), queryOf, undefined, '').stream?.(stream, () => {})
  await settled()
  expect(looks.map(({ orderBy }) => orderBy)).toEqual(
    Array.from({ length: 32 }, (_, index) => `a${index}`),
  )
  const { stream: id } = JSON.parse(/data: (.*)/.exec(written.join(''))![1]!) as { stream: string }
  hub.change(id, requests('b'))
  for (let ended = 0; ended < looks.length; ended++) {
    looks[ended]!.end()
    await settled()
  }
  expect(looks.slice(32).map(({ orderBy }) => orderBy)).toEqual(
    Array.from({ length: 100 }, (_, index) => `b${index}`),
  )
  expect(hub.meter.subscriptions).toBe(100)
  hub.close()
})

test('what was replaced or left before it has begun takes no room', () => {
  // Those that are wanted, and those that are being looked at meanwhile.
  const limits = resolveStreamOptions({ maxTotalSubscriptions: 100 + 32 }, resolveLimits({}))
  const hub = new StreamHub(idleSource, limits, silentLog)
  const requests: SubscriptionRequests = new Map(
    Array.from({ length: 100 }, (_, index) => [`s${index}`, { url: `q${index}` }]),
  )
  const open = (): { readonly id: string; readonly leave: () => void } => {
    let id = ''
    let leave = (): void => {}
    const write = (bytes: Uint8Array): boolean => {
      id = /"stream":"(.*)"/.exec(String(bytes))?.[1] ?? id
      return true
    }
    const answer = hub.openNamed(requests, queryOf, undefined, '')
    answer.stream?.({ ...nowhere, write }, (listener) => (leave = listener))
    return { id, leave }
  }
  const { id, leave } = open()
  for (let round = 0; round < 3; round++) expect(hub.change(id, requests).status).toBe(200)
  leave()
  expect(open).not.toThrow()
  hub.close()
})

test('the texts of all subscriptions have a limit together, and those that have ended do not count', () => {
  // All that is asked for begins at once.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0)
  onTestFinished(() => clock.mockRestore())
  const limits = resolveStreamOptions({ maxTotalUrlLength: 1000 }, resolveLimits({}))
  const hub = new StreamHub(idleSource, limits, silentLog)
  const plan = (url: string): StreamPlan => {
    if (url.startsWith('odd')) throw new Refusal(400, 'Odd')
    return queryOf(url)
  }
  const asked = (...names: string[]): SubscriptionRequests =>
    new Map(names.map((name) => [name, { url: name.padEnd(300), lastEventId: 'x'.repeat(100) }]))
  const open = (requests: SubscriptionRequests): { readonly id: string; leave: () => void } => {
    const opened = { id: '', leave: (): void => {} }
    const write = (bytes: Uint8Array): boolean => {
      opened.id = /"stream":"(.*)"/.exec(String(bytes))?.[1] ?? opened.id
      return true
    }
    const answer = hub.openNamed(requests, plan, undefined, '')
    answer.stream?.({ ...nowhere, write }, (listener) => (opened.leave = listener))
    return opened
  }
  const busy = expect.objectContaining({ status: 503 }) as unknown
  const first = open(asked('a', 'odd'))
  const second = open(asked('c'))
  expect(() => open(asked('d'))).toThrow(busy)
  expect(() => hub.change(second.id, asked('d'))).toThrow(busy)
  // In the place of another one it takes nothing more.
  expect(hub.change(second.id, new Map([...asked('d'), ['c', null]])).status).toBe(200)
  first.leave()
  const third = open(asked('e'))
  expect(() => open(asked('f'))).toThrow(busy)
  second.leave()
  third.leave()
  open(asked('g', 'h'))
  hub.close()
})

test('close() tells clients to come back within the window, and to pause at least a second', () => {
  const random = vi.spyOn(Math, 'random')
  onTestFinished(() => random.mockRestore())
  const limits = resolveStreamOptions({ reconnectWindowMs: 5000 }, resolveLimits({}))
  const told = [0, 0.5].map((chance) => {
    const hub = new StreamHub(idleSource, limits, silentLog)
    let text = ''
    const write = (bytes: Uint8Array): boolean => (text += String(bytes)) !== ''
    hub.openNamed(new Map(), queryOf, undefined, '').stream?.({ ...nowhere, write }, () => {})
    random.mockReturnValue(chance)
    hub.close()
    return text.slice(text.indexOf('retry'))
  })
  expect(told).toEqual(['retry: 1000\n\n', 'retry: 3500\n\n'])
})

test('while others wait for room, who takes a little now and then is ended as who takes nothing', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const target = { path: rootPath, shownPath: rootPath, form: 'plain' } as const
  const run = async (): Promise<StreamResult> => {
    const json = Buffer.alloc(1000, '1')
    const events = [{ name: 'put' as const, json, id: 'e-1-m' }]
    return { sequence: 1, id: 'e-1-m', isWhole: true, events }
  }
  const source: StreamSource = { ...idleSource, listen: async () => () => {}, run }
  const given = { maxTotalPendingBytes: 500, keepAliveMs: 1000 }
  const limits = resolveStreamOptions(given, resolveLimits({ writeTimeoutMs: 3000 }))
  const hub = new StreamHub(source, limits, silentLog)
  const open = () => {
    let gone = () => {}
    const stream = {
      ...nowhere,
      pendingBytes: 0,
      write: ({ length }: Uint8Array) => {
        // What is small leaves at once.
        if (length < 1000) return true
        stream.pendingBytes += length
        return false
      },
      destroy: vi.fn<() => void>(() => gone()),
    }
    const answer = hub.open({ kind: 'stream', target, lastEventId: undefined }, '') as Answer
    answer.stream?.(stream, (listener) => (gone = listener))
    return stream
  }
  const round = async (): Promise<void> => {
    first.pendingBytes--
    vi.advanceTimersByTime(1000)
    await settled()
  }
  const first = open()
  await settled()
  expect(first.pendingBytes).toBeGreaterThan(1000)
  for (let rounds = 0; rounds < 5; rounds++) await round()
  // Nobody waits for its room.
  expect(first.destroy).not.toHaveBeenCalled()
  const second = open()
  await settled()
  expect(second.pendingBytes).toBe(0)
  await round()
  expect(first.destroy).toHaveBeenCalledTimes(1)
  expect(second.pendingBytes).toBeGreaterThan(1000)
  const third = open()
  await settled()
  // It has its time as well.
  for (let rounds = 0; rounds < 3; rounds++) {
    second.pendingBytes--
    await round()
  }
  expect(second.destroy).not.toHaveBeenCalled()
  second.pendingBytes--
  await round()
  expect(second.destroy).toHaveBeenCalledTimes(1)
  expect(third.pendingBytes).toBeGreaterThan(1000)
  hub.close()
})
