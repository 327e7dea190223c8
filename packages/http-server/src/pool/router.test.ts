import { expect, test } from 'vitest'
import { silentLog } from '../log.ts'
import type { Answer, HttpRequest } from '../message.ts'
import type { ReaderPool } from './reader-pool.ts'
import { createRouter } from './router.ts'
import type { WriterPool } from './writer-pool.ts'

/** Which of the pools gets a request, and how long it may wait there. */
async function wayOf(method: string, url: string): Promise<string> {
  const answered = (body: string): Promise<Answer> =>
    Promise.resolve({ status: 200, headers: [], body: Buffer.from(body) })
  const readers: Pick<ReaderPool, 'read'> = {
    read: (_, timeoutMs) => answered(timeoutMs === undefined ? 'reader' : `reader ${timeoutMs}`),
  }
  const writer: Pick<WriterPool, 'write' | 'takesWhole'> = {
    write: () => answered('writer'),
    takesWhole: () => true,
  }
  const plan = {
    namespace: undefined,
    namespaces: undefined,
    maxAnswerBytes: Infinity,
    maxHeldValues: 100_000,
    allDatabases: false,
    compressFromBytes: Infinity,
    backslashesInUrls: false,
  }
  const route = createRouter(
    { plan, health: () => 'ok', log: silentLog },
    readers as ReaderPool,
    writer as WriterPool,
  )
  const { signal } = new AbortController()
  const request: HttpRequest = { method, url, headers: {}, body: undefined, signal }
  const { body } = await route(request)
  return Buffer.from(body as Uint8Array).toString()
}

test.each([
  ['POST', '/a.json?x-http-method-override=GET', 'reader'],
  ['POST', '/a.json?X-HTTP-Method-Override=GET', 'reader'],
  ['POST', '/a.json?x-http-method-%6fverride=GET', 'reader'],
  ['POST', '/a.json?print=pretty&x-http-method-overrid%65=HEAD', 'reader'],
  ['GET', '/a.json?timeout=10s', 'reader 10000'],
  ['GET', '/a.json?%74imeout=10s', 'reader 10000'],
  ['GET', '/a.json?orderBy=%22b%22&%74imeout=10s', 'reader 10000'],
  ['GET', '/a.json?orderBy=%22b%22&limitToFirst=1', 'reader'],
  ['PUT', '/a%20b.json?print=silent', 'writer'],
])('%s %s is for the %s', async (method, url, way) => {
  expect(await wayOf(method, url)).toBe(way)
})
