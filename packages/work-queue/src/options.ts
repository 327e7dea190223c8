import { LINE, SLOT } from './layout.ts'
import type { Sizes } from './layout.ts'
import type { WorkQueueOptions } from './work-queue.ts'

/** Checks the options of a queue and gives them their defaults. */
export function resolveSizes(options: WorkQueueOptions): Sizes {
  const capacity = check('capacity', options.capacity, 1024, 1, 2 ** 24)
  const slotBytes = check('slotBytes', options.slotBytes, 112, 0, 65_520)
  const blockBytes = check('blockBytes', options.blockBytes, 64 * 1024, 64, 2 ** 26)
  const arenaBytes = check('arenaBytes', options.arenaBytes, 16 * 1024 * 1024, 0, 2 ** 32)
  const maxParticipants = check('maxParticipants', options.maxParticipants, 32, 1, 1024)
  const sampleEvery = check('sampleEvery', options.sampleEvery, 64, 1, 2 ** 20)
  if ((sampleEvery & (sampleEvery - 1)) !== 0) {
    throw new RangeError(`Cannot use ${sampleEvery} as sampleEvery: it has to be a power of two`)
  }
  const wholeBlockBytes = roundUp(blockBytes, 64)
  return {
    bands: check('bands', options.bands, 1, 1, 8),
    capacity: 2 ** Math.ceil(Math.log2(capacity)),
    slotWords: roundUp(SLOT.BYTES + Math.ceil(slotBytes / 4), LINE),
    ageEvery: check('ageEvery', options.ageEvery, 8, 2, 2 ** 20),
    sampleEvery,
    maxParticipants: roundUp(maxParticipants, 32),
    blockBytes: wholeBlockBytes,
    blockCount: Math.ceil(arenaBytes / wholeBlockBytes),
  }
}

function check(
  name: keyof WorkQueueOptions,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return fallback
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new RangeError(`Cannot use ${value} as ${name}: it has to be an integer, ${min} to ${max}`)
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}
