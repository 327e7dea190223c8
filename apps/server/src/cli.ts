#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import process from 'node:process'
import { startFacts } from './supervisor.ts'

// Most of the time to start goes into compiling; the next run finds it done.
enableCompileCache()
const { argv, execArgv, execPath } = process
if (argv[2] === 'serve' && !argv.includes('--no-supervise') && startFacts() === undefined) {
  // The arguments are for the server to understand: reading them here would only take time.
  const { supervise } = await import('./supervise.ts')
  process.exitCode = await supervise([execPath, ...execArgv, ...argv.slice(1)])
} else {
  const { runCommandLine } = await import('./command-line.ts')
  process.exitCode = await runCommandLine(argv)
}
