import { parsePath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { targetKey } from './stream-target.ts'
import type { StreamTarget } from './stream-target.ts'

function target(text: string): StreamTarget {
  const path = parsePath(text)
  return { path, shownPath: path, form: 'plain' }
}

test('targetKey() tells targets apart, and is short also where their paths are long', () => {
  const long = `/${'k'.repeat(768)}`.repeat(20)
  const texts = ['/a', '/b', `${long}/a`, `${long}/b`]
  const keys = texts.map((text) => targetKey(target(text)))
  expect(new Set(keys).size).toBe(texts.length)
  expect(texts.map((text) => targetKey(target(text)))).toEqual(keys)
  for (const key of keys) expect(key.length).toBeLessThanOrEqual(1000)
})
