import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { json, print } from '../test/arbitraries.ts'
import { etagOf } from './etag.ts'
import { parseJson } from './parse.ts'

test('etagOf() is the SHA-1 of the text in export form', () => {
  fc.assert(
    fc.property(json, (value) => {
      const tree = parseJson(print(value))
      fc.pre(!tree.isNull)
      const digest = createHash('sha1').update(tree.toText('export')).digest('base64')
      expect(etagOf(tree)).toBe(digest)
    }),
  )
})

test('etagOf() of nothing is null_etag', () => {
  expect(etagOf(parseJson('null'))).toBe('null_etag')
})
