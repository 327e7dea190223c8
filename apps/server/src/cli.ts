#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import process from 'node:process'

// Most of the time to start goes into compiling; the next run finds it done.
enableCompileCache()
const { runCommandLine } = await import('./command-line.ts')
process.exitCode = await runCommandLine(process.argv)
