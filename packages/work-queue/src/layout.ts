// The shared memory of a queue: one SharedArrayBuffer, seen as 32-bit words. Regions follow each
// other in this order; each starts a cache line, so that threads with different jobs write to
// different lines.
//
// | region        | words                      | meaning                                | written by |
// | ------------- | -------------------------- | -------------------------------------- | ---------- |
// | header        | 16                         | the sizes below, set once              | creator |
// | event counts  | 2 + bands, each `eventCountWords` | "items", "blocks", "space" of each band | |
// |   SEQUENCE    | 1 line                     | grows when sleepers are woken          | who wakes |
// |   SLEEPERS    | maxParticipants / 32       | a bit for each participant that sleeps | that participant, reaper |
// |   SPINNERS    | maxParticipants / 32       | a bit for each one that spins          | that participant, reaper |
// | bands         | bands, each `bandWords`    |                                        | |
// |   TAIL        | 1 line                     | 2 × next position to put in, + CLOSED  | producers (CAS), closer (or) |
// |   HEAD        | 1 line                     | 2 × next position to take              | consumers (CAS) |
// |   HIGH_WATER  | 1 line                     | largest depth seen                     | producers |
// |   WAITS       | HISTOGRAM_BUCKETS          | waiting times                          | consumers (add) |
// |   STAMPS      | capacity                   | state of each slot, see the invariants | owner of the slot |
// | participants  | maxParticipants, each `cellWords` | see the CELL constants          | that participant, reaper |
// | block owners  | blockCount                 | FREE, participant + 1, QUEUED, LINKED  | owner of the block |
// | block links   | blockCount                 | next block of the chain + 1, or 0      | owner of the chain |
// | slots         | bands × capacity × slotWords | SLOT constants, then the bytes       | owner of the slot |
// | blocks        | blockCount × blockBytes    | bytes of long items                    | owner of the block |
//
// Positions. A band's items have positions 0, 1, 2, ... modulo 2^31; position p lies in slot p modulo
// capacity. Words hold 2p, which leaves bit 0 for CLOSED in TAIL and for "full" in a stamp, and
// runs modulo 2^32. The capacity is a power of two, so that the step from the last position to 0
// is a step to the next slot like any other. All comparisons are for equality or of differences.
//
// Invariants. "Owns position p" means: has moved TAIL (producer) or HEAD (consumer) over p.
//
// I1  The stamp of the slot of p is 2p: free for the producer that owns p;
//                                 2p + 1: full, for the consumer that owns p;
//                                 2(p + capacity): released, which is "free" of the next lap.
//     These are two stamps a lap. With one, "full at p" and "free for p + 1" are the same at
//     capacity 1, and an item is lost.
// I2  The words and bytes of a slot are plain memory. They are written only between owning p and storing
//     2p + 1, and read only by the consumer that owns p (or by a reaper in its place), before it
//     stores 2(p + capacity). Those two stores are what publishes and releases them.
// I3  TAIL is moved by compare-and-exchange only while bit 0 is clear, and CLOSED is set in TAIL
//     itself: after the close no position can be owned any more, and a consumer that finds HEAD = TAIL with
//     the bit set knows that nothing will follow. A flag elsewhere would let a producer that looked
//     before the close own a position after consumers have gone home.
// I4  0 <= TAIL - HEAD <= 2 × capacity. Full is this count and nothing else: a slot that a consumer owns
//     and has not released is not room, but it is not "full" either; it is waited for.
// I5  Before its compare-and-exchange a participant writes band, position and count into its own cell. The
//     exchange publishes them: whoever sees TAIL or HEAD beyond p sees the cell of p's owner name
//     p, or, if not, finds the stamp moved on. So an unfinished p that no living cell names is a dead one's.
// I6  Whoever may have made "head slot is full" true (a publish, or a take that uncovers the next full slot)
//     looks at SLEEPERS of "items" afterwards; whoever sleeps sets its bit first and looks at the slot
//     afterwards. One of the two sees the other. The same for "tail slot is free" and "space".
// I7  A free block has link 0. A block in use is reachable from exactly one first block, whose
//     owner word says whose the chain is; the others say LINKED, or, for an instant while the chain is
//     built or taken apart, the same owner.

/** Words in a cache line. */
export const LINE = 16

const MAGIC = 0x454c5751 | 0
const VERSION = 1

/** Words of the header. */
export const HEADER = {
  MAGIC: 0,
  VERSION: 1,
  BANDS: 2,
  CAPACITY: 3,
  SLOT_WORDS: 4,
  AGE_EVERY: 5,
  SAMPLE_EVERY: 6,
  MAX_PARTICIPANTS: 7,
  BLOCK_BYTES: 8,
  BLOCK_COUNT: 9,
  /** Participant + 1 of who reaps at this moment, or 0. The only word here that changes. */
  REAPING: 10,
} as const

/** Bit 0 of TAIL. */
export const CLOSED_BIT = 1

/** Words of a band before its stamps, each in a line of its own. */
export const BAND = {
  TAIL: 0,
  HEAD: 16,
  HIGH_WATER: 32,
  WAITS: 48,
} as const

export const HISTOGRAM_BUCKETS = 128

/** Words of a slot. The bytes start at BYTES. */
export const SLOT = {
  /** Bytes of the item. */
  LENGTH: 0,
  TAG: 1,
  /** When it was put in, in microseconds modulo 2^32, or 0: not timed. */
  TIME: 2,
  /** 0: the bytes are in the slot. n + 1: in the chain that starts with block n. */
  CHAIN: 3,
  BYTES: 4,
} as const

/** In SLOT.CHAIN: there is no item, its producer has given up or died. */
export const TOMBSTONE = -1

/** Words of a participant's cell, in three lines, then the tags of what it has in hand. */
export const CELL = {
  // What it is about to own or owns (I5). COUNT is 0 when that is nothing, and is written last.
  ENQUEUE_BAND: 0,
  ENQUEUE_POSITION: 1,
  ENQUEUE_COUNT: 2,
  /** First block + 1 of the chain that goes into the slot, or 0. */
  ENQUEUE_CHAIN: 3,
  DEQUEUE_BAND: 4,
  DEQUEUE_POSITION: 5,
  DEQUEUE_COUNT: 6,
  /** How many TAGS are valid. Set before the slots are released. */
  IN_HAND: 7,
  // Totals, two words each, low first. They live on when the cell gets another participant.
  ENQUEUED: 16,
  DEQUEUED: 18,
  /** 0: nobody. threadId + 1: attached. -(threadId + 1): dead, being reaped. */
  OWNER: 32,
  TAGS: 48,
} as const

/** Most positions owned at once, and so the most tags in hand. */
export const MAX_BATCH = 256

/** Values of a block's owner word besides participant + 1. */
export const FREE = 0
export const QUEUED = -1
export const LINKED = -2

/** The sizes that everything else follows from. */
export interface Sizes {
  bands: number
  capacity: number
  slotWords: number
  ageEvery: number
  sampleEvery: number
  maxParticipants: number
  blockBytes: number
  blockCount: number
}

/** Where everything lies, in words from the start. */
export interface Layout extends Sizes {
  eventCounts: number
  eventCountWords: number
  bandsAt: number
  bandWords: number
  cells: number
  cellWords: number
  blockOwners: number
  blockLinks: number
  slots: number
  blocks: number
  totalBytes: number
}

export function layoutOf(sizes: Sizes): Layout {
  const bitmapWords = toLines(sizes.maxParticipants / 32)
  const eventCounts = LINE
  const eventCountWords = LINE + 2 * bitmapWords
  const bandsAt = eventCounts + (2 + sizes.bands) * eventCountWords
  const bandWords = BAND.WAITS + HISTOGRAM_BUCKETS + toLines(sizes.capacity)
  const cells = bandsAt + sizes.bands * bandWords
  const cellWords = CELL.TAGS + MAX_BATCH
  const blockOwners = cells + sizes.maxParticipants * cellWords
  const blockLinks = blockOwners + toLines(sizes.blockCount)
  const slots = blockLinks + toLines(sizes.blockCount)
  const blocks = slots + sizes.bands * sizes.capacity * sizes.slotWords
  const totalBytes = blocks * 4 + sizes.blockCount * sizes.blockBytes
  return {
    ...sizes,
    eventCounts,
    eventCountWords,
    bandsAt,
    bandWords,
    cells,
    cellWords,
    blockOwners,
    blockLinks,
    slots,
    blocks,
    totalBytes,
  }
}

/** Whole cache lines for so many words. */
function toLines(words: number): number {
  return Math.ceil(words / LINE) * LINE
}

/**
 * Writes the header and the first stamps into fresh memory. Nobody else may have it yet.
 * @param firstPosition where all bands start, for tests of the wrap
 */
export function format(words: Int32Array, layout: Layout, firstPosition: number): void {
  words[HEADER.BANDS] = layout.bands
  words[HEADER.CAPACITY] = layout.capacity
  words[HEADER.SLOT_WORDS] = layout.slotWords
  words[HEADER.AGE_EVERY] = layout.ageEvery
  words[HEADER.SAMPLE_EVERY] = layout.sampleEvery
  words[HEADER.MAX_PARTICIPANTS] = layout.maxParticipants
  words[HEADER.BLOCK_BYTES] = layout.blockBytes
  words[HEADER.BLOCK_COUNT] = layout.blockCount
  const first = (firstPosition * 2) | 0
  for (let band = 0; band < layout.bands; band++) {
    const at = layout.bandsAt + band * layout.bandWords
    words[at + BAND.TAIL] = first
    words[at + BAND.HEAD] = first
    for (let i = 0; i < layout.capacity; i++) {
      const position = (first + 2 * i) | 0
      words[stampsOf(layout, band) + stampIndex(position, layout.capacity)] = position
    }
  }
  words[HEADER.VERSION] = VERSION
  words[HEADER.MAGIC] = MAGIC
}

/** The sizes that `format` has written, or `undefined` if this is no memory of ours. */
export function readSizes(words: Int32Array): Sizes | undefined {
  if (words[HEADER.MAGIC] !== MAGIC || words[HEADER.VERSION] !== VERSION) return undefined
  return {
    bands: wordAt(words, HEADER.BANDS),
    capacity: wordAt(words, HEADER.CAPACITY),
    slotWords: wordAt(words, HEADER.SLOT_WORDS),
    ageEvery: wordAt(words, HEADER.AGE_EVERY),
    sampleEvery: wordAt(words, HEADER.SAMPLE_EVERY),
    maxParticipants: wordAt(words, HEADER.MAX_PARTICIPANTS),
    blockBytes: wordAt(words, HEADER.BLOCK_BYTES),
    blockCount: wordAt(words, HEADER.BLOCK_COUNT),
  }
}

export function bandAt(layout: Layout, band: number): number {
  return layout.bandsAt + band * layout.bandWords
}

export function stampsOf(layout: Layout, band: number): number {
  return bandAt(layout, band) + BAND.WAITS + HISTOGRAM_BUCKETS
}

/**
 * Where among the stamps the one for a position is. Neighbouring positions have their stamps in
 * different cache lines: a producer that publishes p and a consumer that looks at p - 1 would
 * otherwise take the line from each other all the time.
 */
export function stampIndex(position: number, capacity: number): number {
  const slot = (position >>> 1) & (capacity - 1)
  if (capacity < LINE * 2) return slot
  // The index, rotated left by the bits of a line.
  return ((slot * LINE) & (capacity - 1)) | (slot >>> (31 - Math.clz32(capacity) - 4))
}

export function cellAt(layout: Layout, participant: number): number {
  return layout.cells + participant * layout.cellWords
}

/** Says of an owned slot that it has no item. Nor is there a time: the one of a lap before is still there. */
export function writeTombstone(words: Int32Array, slot: number): void {
  words[slot + SLOT.TIME] = 0
  words[slot + SLOT.CHAIN] = TOMBSTONE
}

/** Reads a word by plain access. All indices come from a layout, so they are inside. */
export function wordAt(words: Int32Array, index: number): number {
  return words[index] as number
}
