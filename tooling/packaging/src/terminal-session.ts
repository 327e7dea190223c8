import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { codeBlocks } from './code-blocks.ts'

export interface Step {
  command: string
  /** The output that the text shows below the command, without the last line break. */
  output: string
}

export interface SessionOptions {
  cwd: string
  env: NodeJS.ProcessEnv
}

/**
 * The terminal session that a Markdown text shows in its `console` blocks: a line that starts with
 * `$ ` is a command, the lines below it are what it prints on standard output.
 */
export function terminalSession(markdown: string): Step[] {
  return codeBlocks(markdown)
    .filter(({ language }) => language === 'console')
    .flatMap(({ code }) => code.split(/^\$ /m).slice(1))
    .map((step) => {
      const [command = '', ...output] = step.replace(/\\\n/g, '').split('\n')
      return { command, output: output.join('\n').trim() }
    })
}

/**
 * Types each command into a shell and compares what it prints with what the text shows. A command
 * that shows `listening on http://HOST:PORT` is a server: it runs until the end of the session, and
 * where the commands after it name that address, they get the one that it really listens on.
 *
 * @throws {Error} at the first command that prints something else
 */
export async function runSession(steps: Step[], options: SessionOptions): Promise<void> {
  const servers: ChildProcess[] = []
  let atRealAddress = (text: string): string => text
  const { cwd } = options
  const env = { ...options.env }
  try {
    for (const step of steps) {
      const shown = step.output.match(listening)?.[1]
      if (shown === undefined) {
        await runCommand(atRealAddress(step.command), atRealAddress(step.output), { cwd, env })
      } else {
        const { server, address } = await startServer(step.command, options)
        servers.push(server)
        atRealAddress = (text) => text.replaceAll(shown, address)
        // Where the commands of ours look that do not name an address.
        env['ELKYN_URL'] = `http://${address}`
      }
    }
  } finally {
    await Promise.all(servers.map(stop))
  }
}

const listening = /listening on http:\/\/([\w.]+:\d+)/

async function runCommand(command: string, output: string, options: SessionOptions): Promise<void> {
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], options)
  if (stdout.trim() === output) return
  throw new Error(`$ ${command}\nprinted:\n${stdout}${stderr}\ninstead of:\n${output}`)
}

async function startServer(
  command: string,
  options: SessionOptions,
): Promise<{ server: ChildProcess; address: string }> {
  const server = spawn('bash', ['-c', `exec ${command}`], {
    ...options,
    // A process group of its own, so that stop() reaches whatever the command starts.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: server.stdout })) {
    const address = line.match(listening)?.[1]
    if (address !== undefined) return { server, address }
  }
  throw new Error(`$ ${command}\nended before it listened`)
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null) return
  const exited = once(server, 'exit')
  process.kill(-server.pid, 'SIGTERM')
  await exited
}
