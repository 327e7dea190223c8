import { unescapeKey } from '@elkyn/tree'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { renameKeys } from './rename-keys.ts'

test('renameKeys() keeps names that have a meaning', async () => {
  const json = '{"%2Eother":4,".priority":5,"a":{".value":1,".priority":"%2E"}}'
  const renamed = renameKeys(new Blob([json]).stream(), unescapeKey)
  expect(await text(renamed)).toBe(json.replace('%2Eother', '.other'))
})
