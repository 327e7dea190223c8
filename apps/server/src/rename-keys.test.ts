import { unescapeKey } from '@elkyn/tree'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { renameKeys } from './rename-keys.ts'

test('renameKeys() makes no name that has a meaning', async () => {
  const json = '{"%2Epriority":1,"%2Evalue":2,"%2Esv":3,"%2Eother":4,".priority":5}'
  const renamed = renameKeys(new Blob([json]).stream(), unescapeKey)
  expect(await text(renamed)).toBe(json.replace('%2Eother', '.other'))
})
