// Supervises the program given as an argument, JavaScript, with pauses too short to wait for.
import process from 'node:process'
import { supervise } from '../../src/supervise.ts'

const program = process.argv[2] ?? ''
process.exitCode = await supervise([process.execPath, '-e', program], {
  maxQuickRuns: 3,
  pauseMs: 1,
})
