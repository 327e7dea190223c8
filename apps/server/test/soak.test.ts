import { expect, test, vi } from 'vitest'
import { shortSoak } from '../soak/plans.ts'
import { soak } from '../soak/soak.ts'
import { temporaryFolder } from './temporary-folder.ts'

// Starts processes, on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 600_000 })

test('nothing is lost in a short soak of kills, faults of threads, and clients of all kinds', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 1_000_000)
  await using folder = await temporaryFolder()
  const { findings, parts } = await soak(shortSoak(folder.path, seed))
  expect(findings.failures, `FC_SEED=${seed}`).toEqual([])
  expect(parts.every(({ name, operations }) => name === 'read again' || operations > 0)).toBe(true)
  expect(findings.counts.get('kills of the server') ?? 0).toBeGreaterThan(0)
})
