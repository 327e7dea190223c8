import { writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { thisProcess } from './folder-sockets.ts'
import { takeTurn } from './folder-turn.ts'

test.each(['nothing', 'what an earlier process left'])(
  'one has its turn at a time, whatever lies there: %s',
  async (left) => {
    using folder = temporaryFolder()
    if (left !== 'nothing') writeFileSync(join(folder.path, `turn-${thisProcess}.sock`), '')
    let atOnce = 0
    let most = 0
    const turn = async (): Promise<void> => {
      const endTurn = await takeTurn(folder.path)
      most = Math.max(most, ++atOnce)
      // Others try again meanwhile.
      for (let count = 0; count < 100; count++) await setImmediate()
      atOnce--
      await endTurn()
    }
    await Promise.all(Array.from({ length: 5 }, turn))
    expect(most).toBe(1)
    expect(await readdir(folder.path)).toEqual([])
  },
)
