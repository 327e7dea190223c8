import { expect, test } from 'vitest'
import { ReadMemory } from './read-memory.ts'
import type { RequestBody } from './request-body.ts'

/** What is read, and what a parser gives of it. */
function readOf(memory: ReadMemory, body: { newest: Uint8Array | undefined }) {
  return (bytes: Uint8Array, given: Uint8Array | undefined): boolean => {
    memory.begin()
    if (given !== undefined) body.newest = given
    memory.end(bytes)
    return bytes.length === 0
  }
}

function large(): Uint8Array {
  return new Uint8Array(64 * 1024)
}

test('ReadMemory gives back what was read once it was seen that bodies are copies', () => {
  const body = { newest: large() as Uint8Array | undefined }
  const isGivenBack = readOf(new ReadMemory(() => body as RequestBody), body)
  // Of an earlier read, which says nothing.
  expect(isGivenBack(large(), undefined)).toBe(false)
  expect(isGivenBack(large(), large())).toBe(true)
  // What the message holds back was copied as well.
  expect(isGivenBack(large(), undefined)).toBe(true)
  expect(isGivenBack(new Uint8Array(10), undefined)).toBe(false)
  const all = new Uint8Array(100 * 1024)
  expect(isGivenBack(all.subarray(0, 64 * 1024), undefined)).toBe(false)
})

test('ReadMemory gives nothing back where bodies are what was read', () => {
  const body: { newest: Uint8Array | undefined } = { newest: undefined }
  const isGivenBack = readOf(new ReadMemory(() => body as RequestBody), body)
  const bytes = large()
  expect(isGivenBack(bytes, bytes.subarray(10))).toBe(false)
  expect(isGivenBack(large(), undefined)).toBe(false)
})
