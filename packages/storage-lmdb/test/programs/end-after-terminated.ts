/** Ends the process with code 7, as it is when a thread was terminated while the disk was busy with its commit. */
import { Word, processWords } from '../../src/process-end.ts'

const words = processWords()
if (words === undefined) throw new Error('This is no main thread')
Atomics.add(words, Word.commits, 1)
process.exit(7)
