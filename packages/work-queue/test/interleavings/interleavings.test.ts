import process from 'node:process'
import { describe, expect, test, vi } from 'vitest'
import { explore } from './explorer.ts'
import type { End, Operation, Program } from './explorer.ts'
import {
  accepted,
  claimAndHold,
  close,
  depthOf,
  left,
  makeQueue,
  put,
  reap,
  take,
  takeInTime,
  taken,
  tryPut,
  tryPutMany,
  tryTake,
  tryTakeMany,
} from './threads.ts'
import type { Queue, Reaped, Setup } from './threads.ts'

// Times would make states differ that are the same.
vi.mock('../../src/clock.ts', () => ({ microseconds: () => 1 }))

// Every order of the atomic steps of the package's own code, with its own invariants looked at in the end: each
// accepted item is taken once, nobody sleeps for ever, and no slot is left in a state of its own. A capacity of
// 3 becomes 4. ELKYN_TEST_LONG=1 runs the programs that take minutes at more than one.
const isLong = process.env['ELKYN_TEST_LONG'] === '1'
const capacitiesOfLongPrograms = isLong ? [1, 2, 4] : [1]

/** Positions at both sides of the step from 2^31 - 1 to 0. */
const wrap = 2 ** 31 - 1

interface Run extends Pick<Program, 'mayDie' | 'afterDeaths' | 'mayTimeOut'> {
  threads: Operation[][]
  producers: number[]
  consumers: number[]
  /** Whether a thread may die only where others notice it at once, which makes fewer states. */
  deathsAtAtomicsOnly?: boolean
  /** How many items one call puts in. Default: 1. */
  itemsOfACall?: number
  /** Threads that may be asleep in the end. */
  maySleep?: number[]
  check?: (end: End) => void
}

function exploreAll(setup: Setup, define: (queue: Queue) => Run): number {
  const queue = makeQueue(setup)
  const run = define(queue)
  const { threads, mayDie, afterDeaths, mayTimeOut, maySleep = [], deathsAtAtomicsOnly } = run
  const deathsAnywhere = mayDie !== undefined && deathsAtAtomicsOnly !== true
  const { memory, isStamp, isVisible, usedFor } = queue
  return explore({
    memory,
    usedFor,
    isVisible: deathsAnywhere ? isVisible : isStamp,
    threads,
    ...(mayDie && { mayDie }),
    ...(afterDeaths && { afterDeaths }),
    ...(mayTimeOut && { mayTimeOut }),
    check: (end) => {
      // Nobody has reaped the one that died, because the other one that may lives.
      if (end.dead.length > 0 && end.dead.length < (mayDie ?? []).length) return
      expect(end.asleep.filter((thread) => !maySleep.includes(thread))).toEqual([])
      checkAccounts(queue, end, run)
      run.check?.(end)
    },
  })
}

function checkAccounts(
  queue: Queue,
  end: End,
  { producers, consumers, itemsOfACall = 1 }: Run,
): void {
  const reports = end.results.flat().filter((result) => isReaped(result))
  const out = taken(end, consumers)
  // What the dead one had in hand may be the result of its last operation.
  const inHand = reports.flatMap((report) => report.inHand).filter((tag) => !out.includes(tag))
  const returned = reports.flatMap((report) => report.returned)
  const surplus = [...out, ...inHand, ...returned, ...left(queue, end)]
  for (const tag of accepted(end, producers)) {
    const index = surplus.indexOf(tag)
    expect(index, `item ${tag} is somewhere`).not.toBe(-1)
    surplus.splice(index, 1)
  }
  // A call that never returned may have put its item in, once.
  const dead = producers.filter((producer) => end.dead.includes(producer))
  expect(surplus.length, `${surplus.join()} were not accepted`).toBeLessThanOrEqual(
    dead.length * itemsOfACall,
  )
  for (const consumer of consumers) expectInOrder(taken(end, [consumer]))
}

function expectInOrder(tags: number[]): void {
  for (const producer of [1, 2]) {
    const own = tags.filter((tag) => Math.floor(tag / 10) === producer)
    expect(own).toEqual(own.toSorted((a, b) => a - b))
  }
}

function isReaped(result: unknown): result is Reaped {
  return typeof result === 'object' && result !== null && 'returned' in result
}

describe.each([1, 2, 4])('every interleaving at capacity %i', (capacity) => {
  describe.each([5, wrap])('from position %i', (firstPosition) => {
    const setup = { capacity, firstPosition, waiting: false }

    test('two producers and two consumers neither lose nor double an item', () => {
      exploreAll({ ...setup, participants: 4 }, (q) => ({
        threads: [[tryPut(q, 0, 11)], [tryPut(q, 1, 21)], [tryTake(q, 2)], [tryTake(q, 3)]],
        producers: [0, 1],
        consumers: [2, 3],
      }))
    })

    test('items of one producer stay in order, over more than a lap', () => {
      exploreAll({ ...setup, participants: 3 }, (q) => ({
        threads: [
          [tryPut(q, 0, 11), tryPut(q, 0, 12), tryPut(q, 0, 13)],
          [tryPut(q, 1, 21)],
          [tryTake(q, 2), tryTake(q, 2), tryTake(q, 2)],
        ],
        producers: [0, 1],
        consumers: [2],
      }))
    })

    test('what was accepted before a close is taken, what comes after is refused', () => {
      exploreAll({ ...setup, participants: 3 }, (q) => ({
        threads: [
          [tryPut(q, 0, 11), tryPut(q, 0, 12)],
          [tryTake(q, 1), tryTake(q, 1)],
          [close(q, 2), tryTake(q, 2)],
        ],
        producers: [0],
        consumers: [1, 2],
        check: ({ results }) => {
          // Nothing is accepted after a refusal.
          const [first, second] = results[0] ?? []
          expect(first !== 'closed' || second === 'closed').toBe(true)
        },
      }))
    })

    test('batches are taken whole or in parts, in order', () => {
      exploreAll({ ...setup, participants: 3 }, (q) => ({
        threads: [
          [tryPutMany(q, 0, 11, 3)],
          [tryPut(q, 1, 21)],
          [tryTakeMany(q, 2), tryTakeMany(q, 2)],
        ],
        producers: [0, 1],
        consumers: [2],
      }))
    })
  })
})

describe.each(capacitiesOfLongPrograms)('threads that wait, at capacity %i', (capacity) => {
  const setup = { capacity, firstPosition: wrap }

  test('a producer and a consumer wake each other', () => {
    exploreAll({ ...setup, participants: 2 }, (q) => ({
      threads: [
        [put(q, 0, 11), put(q, 0, 12), put(q, 0, 13)],
        [take(q, 1), take(q, 1), take(q, 1)],
      ],
      producers: [0],
      consumers: [1],
    }))
  })

  test('a close wakes whoever waits', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [[take(q, 0)], [take(q, 1)], [close(q, 2)]],
      producers: [],
      consumers: [0, 1],
    }))
    exploreAll({ ...setup, participants: 2 }, (q) => ({
      threads: [[put(q, 0, 11), put(q, 0, 12), put(q, 0, 13)], [close(q, 1)]],
      producers: [0],
      consumers: [],
    }))
  })

  test('the last item before a close reaches one consumer, and all are told', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [[put(q, 0, 11), close(q, 0)], [take(q, 1), take(q, 1)], [take(q, 2)]],
      producers: [0],
      consumers: [1, 2],
    }))
  })

  test('a consumer that takes several leaves nobody asleep beside an item', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [[put(q, 0, 11), put(q, 0, 12)], [take(q, 1)], [take(q, 2)]],
      producers: [0],
      consumers: [1, 2],
    }))
  })

  test('an item published behind an unpublished one is not forgotten', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [[put(q, 0, 11)], [put(q, 1, 21)], [take(q, 2), take(q, 2)]],
      producers: [0, 1],
      consumers: [2],
    }))
  })

  test('a consumer whose time is over takes no wake-up along', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [[put(q, 0, 11)], [takeInTime(q, 1)], [take(q, 2)]],
      producers: [0],
      consumers: [1, 2],
      mayTimeOut: [1],
      // One of them gets the item; the other one may have nothing to come.
      maySleep: [2],
      check: (end) => {
        expect(!end.asleep.includes(2) || end.results[1]?.[0] === 11).toBe(true)
      },
    }))
  })
})

test('no producer sleeps beside a free slot behind a claim that another one holds', () => {
  const q = makeQueue({ capacity: 2, participants: 3, firstPosition: wrap })
  explore({
    memory: q.memory,
    usedFor: q.usedFor,
    isVisible: q.isStamp,
    threads: [[claimAndHold(q, 0)], [put(q, 1, 21)], [tryPutMany(q, 2, 31, 2), tryTakeMany(q, 2)]],
    check: (end) => {
      expect(end.asleep.length === 0 || depthOf(q, end) === 2).toBe(true)
    },
  })
})

describe.each(capacitiesOfLongPrograms)('a death at any step, at capacity %i', (capacity) => {
  const setup = { capacity, firstPosition: wrap, waiting: false }

  test('a producer leaves its item or a tombstone', () => {
    exploreAll({ ...setup, participants: 4 }, (q) => ({
      threads: [[tryPut(q, 0, 11)], [tryPut(q, 1, 21)], [tryTake(q, 2)], [reap(q, 3, 0)]],
      producers: [0, 1],
      consumers: [2],
      mayDie: [0],
      afterDeaths: [3],
    }))
  })

  test('a consumer leaves its item to the reaper, or has it in hand', () => {
    exploreAll({ ...setup, participants: 4 }, (q) => ({
      threads: [[tryPut(q, 0, 11)], [tryTake(q, 1)], [tryTake(q, 2)], [reap(q, 3, 1)]],
      producers: [0],
      consumers: [1, 2],
      mayDie: [1],
      afterDeaths: [3],
    }))
  })

  test('two producers that die at the same slot are settled together', () => {
    exploreAll({ ...setup, participants: 4 }, (q) => ({
      threads: [[tryPut(q, 0, 11)], [tryPut(q, 1, 21)], [tryTake(q, 2)], [reap(q, 3, 0, 1)]],
      producers: [0, 1],
      consumers: [2],
      mayDie: [0, 1],
      afterDeaths: [3],
    }))
  })

  test('a dead producer holds up a waiting consumer until it is reaped', () => {
    exploreAll({ capacity, participants: 4 }, (q) => ({
      threads: [[put(q, 0, 11)], [take(q, 1)], [reap(q, 2, 0), put(q, 2, 21)]],
      producers: [0, 2],
      consumers: [1],
      mayDie: [0],
      afterDeaths: [2],
    }))
  })
})

// A million states.
describe.each(isLong ? [1, 2] : [])(
  'a death of a thread that waits, at capacity %i',
  (capacity) => {
    test('a wake-up that dies with a consumer is made again', () => {
      exploreAll({ capacity, participants: 4 }, (q) => ({
        threads: [[put(q, 0, 11)], [take(q, 1)], [take(q, 2)], [reap(q, 3, 1)]],
        producers: [0],
        consumers: [1, 2],
        mayDie: [1],
        afterDeaths: [3],
        maySleep: [1, 2],
        deathsAtAtomicsOnly: true,
        check: (end) => {
          // Two wait for one item: one of them, but no item, may be left.
          expect(left(q, end)).toEqual([])
        },
      }))
    })
  },
)

describe.each([2, 4])('a death in the middle of a batch, at capacity %i', (capacity) => {
  const setup = { capacity, firstPosition: wrap, waiting: false }

  test('a batch of a dead consumer is partly in hand and partly returned', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [
        [tryPut(q, 0, 11), tryPut(q, 0, 12), tryPut(q, 0, 13)],
        [tryTakeMany(q, 1)],
        [reap(q, 2, 1)],
      ],
      producers: [0],
      consumers: [1],
      mayDie: [1],
      afterDeaths: [2],
    }))
  })

  test('a batch of a dead producer is partly put in', () => {
    exploreAll({ ...setup, participants: 3 }, (q) => ({
      threads: [[tryPutMany(q, 0, 11, 2)], [tryTake(q, 1), tryTake(q, 1)], [reap(q, 2, 0)]],
      producers: [0],
      itemsOfACall: 2,
      consumers: [1],
      mayDie: [0],
      afterDeaths: [2],
    }))
  })
})
