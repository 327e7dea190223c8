import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import type { LoadGenerator, LoadRequest, LoadResult, Request } from './load.ts'

/** The program wrk, which Debian has; `undefined` where it is not installed. */
export async function findWrk(): Promise<LoadGenerator | undefined> {
  if (spawnSync('wrk', ['-v']).error !== undefined) return undefined
  const folder = await makeTemporaryFolder()
  const script = join(folder.path, 'requests.lua')
  return {
    name: 'wrk',
    async run(request) {
      await writeFile(script, requestsInTurn(request.requests))
      return runWrk(script, request)
    },
    [Symbol.asyncDispose]: async () => folder[Symbol.asyncDispose](),
  }
}

// Wrk asks for one request that it does not send: the turn begins before the first.
function requestsInTurn(requests: readonly Request[]): string {
  return `local requests, turn = {}, -1
init = function()
  ${requests.map((request) => `requests[#requests + 1] = ${formatted(request)}`).join('\n  ')}
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
`
}

function formatted({ method = 'GET', path, headers = {}, body }: Request): string {
  const fields = Object.entries(headers).map(
    ([name, value]) => `[${quoted(name)}] = ${quoted(value)}`,
  )
  const parts = [quoted(method), quoted(path), `{ ${fields.join(', ')} }`]
  if (body !== undefined) parts.push(quoted(body))
  return `wrk.format(${parts.join(', ')})`
}

// What JSON escapes here, a backslash or a quote, Lua escapes in the same way.
function quoted(text: string): string {
  return JSON.stringify(text)
}

async function runWrk(
  script: string,
  { port, connections, seconds }: LoadRequest,
): Promise<LoadResult> {
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '30s',
    '-s',
    script,
    `http://127.0.0.1:${port}`,
  ]
  const { stdout } = await promisify(execFile)('wrk', args)
  const found = /(\d+) requests in .*Requests\/sec:\s+([\d.]+)/s.exec(stdout)
  if (found === null || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk says: ${stdout}`)
  const requests = Number(found[1])
  return { requests, elapsedMs: (requests / Number(found[2])) * 1000 }
}
