import { expect, test } from 'vitest'
import { Arena } from '../../src/arena.ts'
import type { Chain } from '../../src/arena.ts'
import { Blocking } from '../../src/block.ts'
import { FREE, LINKED, layoutOf, wordAt } from '../../src/layout.ts'
import { BLOCKS, EventCount } from '../../src/waiting.ts'
import type { Need } from '../../src/waiting.ts'
import { explore } from './explorer.ts'
import type { End, Operation } from './explorer.ts'

const layout = layoutOf({
  bands: 1,
  capacity: 1,
  slotWords: 16,
  ageEvery: 2,
  sampleEvery: 2 ** 20,
  maxParticipants: 3,
  blockBytes: 64,
  blockCount: 3,
})
const isLink = (index: number): boolean =>
  index >= layout.blockLinks && index < layout.blockLinks + layout.blockCount

function withArena(
  participant: number,
  use: (arena: Arena, events: EventCount) => unknown,
): Operation {
  return ({ words, bytes }) => {
    const events = new EventCount(words, layout, BLOCKS, participant)
    return use(new Arena(words, bytes, layout, participant, events), events)
  }
}

/** Takes blocks, takes one more, and gives all back. */
function useBlocks(arena: Arena): string {
  const chain: Chain = []
  if (!arena.grow(chain, 2)) return 'short'
  const grown = arena.grow(chain, 1)
  arena.shrink(chain, 1)
  arena.shrink(chain, 0)
  return grown ? 'had three' : 'had two'
}

function expectAllFree({ memory }: End): void {
  for (let block = 0; block < layout.blockCount; block++) {
    expect(wordAt(memory, layout.blockOwners + block)).toBe(FREE)
    expect(wordAt(memory, layout.blockLinks + block)).toBe(0)
  }
}

test('two participants that take and give back blocks leave all free', () => {
  explore({
    memory: new Int32Array(layout.blocks),
    threads: [[withArena(0, useBlocks)], [withArena(1, useBlocks)]],
    check: (end) => {
      expectAllFree(end)
      // Both want two of three: at least one must have had them, or both were in each other's way.
      expect(end.results.flat().length).toBe(2)
    },
  })
})

/** Waits for one block. */
function waitForOne(arena: Arena, events: EventCount): string {
  const need: Need = { events, ready: () => arena.countFree() > 0 }
  new Blocking(() => false).until(() => (arena.grow([], 1) ? undefined : need), Infinity)
  return 'has one'
}

test('who waits for one block is told of those that others have taken in vain', () => {
  explore({
    memory: new Int32Array(layout.blocks),
    threads: [
      [withArena(0, (arena) => arena.grow([], 2))],
      [withArena(1, (arena) => arena.grow([], 3))],
      [withArena(2, waitForOne)],
    ],
    check: ({ memory, asleep }) => {
      const owners = memory.subarray(layout.blockOwners, layout.blockOwners + layout.blockCount)
      expect(asleep.length === 0 || !owners.includes(FREE)).toBe(true)
    },
  })
})

test('a participant that dies at any step leaves its blocks to be found', () => {
  explore({
    memory: new Int32Array(layout.blocks),
    isVisible: isLink,
    threads: [
      [withArena(0, useBlocks)],
      [withArena(1, (arena) => arena.grow([], 1))],
      [withArena(2, (arena) => arena.freeAllOf(0) ?? 'freed')],
    ],
    mayDie: [0],
    afterDeaths: [2],
    check: (end) => {
      const owners = Array.from({ length: layout.blockCount }, (_, block) =>
        wordAt(end.memory, layout.blockOwners + block),
      )
      // The living one has its block, everything else is free.
      const held = owners.filter((owner) => owner !== FREE)
      expect(held).toEqual(end.results[1]?.[0] === false ? [] : [2])
      expect(owners).not.toContain(LINKED)
    },
  })
})
