import { expect, test } from 'vitest'
import { inOnePiece } from './buffer-text.ts'

test('inOnePiece() gives the same text, of any characters and length', () => {
  for (const text of [
    '',
    'abc',
    'é',
    '日本',
    '😀',
    '\u0000',
    '"'.repeat(100_000),
    '日'.repeat(9),
  ]) {
    expect(inOnePiece(text) === text).toBe(true)
  }
})
