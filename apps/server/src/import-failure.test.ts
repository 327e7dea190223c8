import { rootPath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { CommandError } from './command-error.ts'
import { importFailure } from './import-failure.ts'
import { Target } from './target.ts'
import type { Transport } from './transport.ts'

const notStored = 'Nothing was stored.'
const unknown = 'Nothing is known to be stored: repeat the command.'

/** A server that gives the same answer to everything. */
function answering(status: number, body: string): Transport {
  return {
    label: 'server',
    takesAnySize: false,
    hasAllDatabases: false,
    send: async () => ({ status, body: pieces(body) }),
    [Symbol.asyncDispose]: async () => {},
  }
}

async function* pieces(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

async function hintOf(error: unknown): Promise<string | undefined> {
  const state = { next: undefined }
  const failure = await importFailure(error, {
    file: '-',
    state,
    stop: new AbortController().signal,
  })
  return (failure as CommandError).hint
}

test.each([
  [400, '{"error":"Invalid data"}', notStored],
  [413, '<html>Too large</html>', notStored],
  [503, '{"error":"The database failed: Nothing was written"}', notStored],
  [503, '{"error":"The outcome of the write is unknown: The writer has stopped"}', unknown],
  [504, '<html>Gateway Timeout</html>', unknown],
])('importFailure() knows what may be stored after %d %s', async (status, body, hint) => {
  await using target = new Target(answering(status, body))
  const error: unknown = await target
    .set(rootPath, Buffer.from('1'))
    .catch((reason: unknown) => reason)
  expect(await hintOf(error)).toBe(hint)
})

test.each([
  [200, unknown],
  [400, notStored],
  [500, unknown],
])('importFailure() knows that also after half of an answer with %d', async (status, hint) => {
  const error = new CommandError('failed', 'server broke off', { status })
  expect(await hintOf(error)).toBe(hint)
})
