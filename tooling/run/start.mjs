// `npm start -- [flags]`: install what is missing, then `elkyn serve [flags]` from the sources.
// The script is called with `exec`: the shell that npm starts would not pass a signal on.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { installIfNeeded, node, root } from './workspace.mjs'

if (!installIfNeeded()) process.exit(1)

const app = join(root, 'apps', 'server')
const manifest = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'))
const server = spawn(node, [join(app, manifest.bin.elkyn), 'serve', ...process.argv.slice(2)], {
  stdio: 'inherit',
  // A session of its own: the terminal's Ctrl-C reaches this process only, which passes it on. Under npm
  // it comes twice, from the terminal and from npm itself, which the server takes for one.
  detached: true,
})

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => server.kill(signal))
}

server.on('error', (error) => {
  console.error(`Cannot start the server: ${error.message}`)
  process.exit(1)
})
server.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1)
  // End as the server did, so that the shell sees the same.
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
