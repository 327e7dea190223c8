import type { SoakOptions } from './soak.ts'

/** A soak of so many minutes. */
export function longSoak(folder: string, seed: number, minutes: number): SoakOptions {
  const ms = minutes * 60_000
  return {
    folder,
    seed,
    parts: [
      { name: 'kills', server: 'elkyn', ms: ms * 0.3, kills: { least: 4000, most: 24_000 } },
      { name: 'faults', server: 'faulty', ms: ms * 0.3, faults: { least: 500, most: 4000 } },
      { name: 'steady', server: 'elkyn', ms: ms * 0.4 },
    ],
    owners: 12,
    slowClients: 6,
    leavers: 4,
    bulkBytes: 24_000_000,
    fillLog: true,
    sampleMs: 5000,
  }
}

/** One of a few seconds, in which everything happens after so many operations. */
export function shortSoak(folder: string, seed: number): SoakOptions {
  return {
    folder,
    seed,
    parts: [
      { name: 'kills', server: 'elkyn', ms: 3000, kills: { least: 500, most: 1500 } },
      { name: 'faults', server: 'faulty', ms: 3000, faults: { least: 100, most: 300 } },
      { name: 'steady', server: 'elkyn', ms: 2000 },
    ],
    operationsPerSecond: 200,
    owners: 6,
    slowClients: 2,
    leavers: 2,
    bulkBytes: 12_000_000,
    fillLog: false,
    sampleMs: 1000,
  }
}
