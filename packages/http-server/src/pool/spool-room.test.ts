import { statfsSync } from 'node:fs'
import type { StatsFs } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { SpoolRoom } from './spool-room.ts'

vi.mock(import('node:fs'), { spy: true })

const mebibyte = 1024 * 1024

function expectRoom(diskMebibytes: number, freeMebibytes: number, expected: boolean): void {
  const disk = { bsize: mebibyte, blocks: diskMebibytes, bavail: freeMebibytes }
  vi.mocked(statfsSync).mockReturnValue(disk as StatsFs)
  const room = SpoolRoom.create(10 * mebibyte, 'folder')
  const inAnotherThread = new SpoolRoom(room.shared)
  expect(inAnotherThread.grow(0, mebibyte)).toBe(expected)
  // What was refused has taken nothing.
  vi.mocked(statfsSync).mockReturnValue({ ...disk, bavail: diskMebibytes } as StatsFs)
  expect(room.grow(0, 10 * mebibyte)).toBe(!expected)
  expect(statfsSync).toHaveBeenCalledWith('folder')
}

test('files grow while a GiB of their disk is left, or a tenth', () => {
  expectRoom(100_000, 1025, true)
  expectRoom(100_000, 1024, false)
  expectRoom(1000, 101, true)
  expectRoom(1000, 100, false)
  expectRoom(0, 0, true)
})
