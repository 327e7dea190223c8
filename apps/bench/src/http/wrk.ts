import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import type { LoadGenerator, LoadRequest, LoadResult } from './load.ts'

/** The program wrk, which Debian has; `undefined` where it is not installed. */
export async function findWrk(): Promise<LoadGenerator | undefined> {
  if (spawnSync('wrk', ['-v']).error !== undefined) return undefined
  const folder = await makeTemporaryFolder()
  const script = join(folder.path, 'paths.lua')
  return {
    name: 'wrk',
    async run(request) {
      await writeFile(script, pathsInTurn(request.paths))
      return runWrk(script, request)
    },
    [Symbol.asyncDispose]: async () => folder[Symbol.asyncDispose](),
  }
}

function pathsInTurn(paths: readonly string[]): string {
  return `local requests, turn = {}, 0
init = function()
  for index, path in ipairs({ ${paths.map((path) => JSON.stringify(path)).join(', ')} }) do
    requests[index] = wrk.format("GET", path)
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
`
}

async function runWrk(
  script: string,
  { port, connections, seconds }: LoadRequest,
): Promise<LoadResult> {
  const args = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
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
