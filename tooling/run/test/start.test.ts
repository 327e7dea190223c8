import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { root } from '../workspace.mjs'

test('npm start passes flags to the server and ends with it at SIGTERM', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'elkyn-start-'))
  try {
    const args = ['start', '--silent', '--', '--port', '0', '--data', join(folder, 'data')]
    const npm = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(npm, 'exit')
    const lines: string[] = []
    for await (const line of createInterface({ input: npm.stdout })) {
      lines.push(line)
      npm.kill('SIGTERM')
    }
    // Standard output ends when the last process that holds it is gone: npm and the server.
    expect(lines).toEqual([
      expect.stringMatching(/^Elkyn DB listening on http:\/\/127\.0\.0\.1:\d+$/),
    ])
    expect(await exited).toEqual([0, null])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
