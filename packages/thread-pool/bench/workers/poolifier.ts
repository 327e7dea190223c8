import { ThreadWorker } from 'poolifier'
import { handle } from './handle.ts'

// Asynchronous: it does not wait for what a plain function returns.
const worker: ThreadWorker = new ThreadWorker(async (task?: unknown) => handle(task))

// oxlint-disable-next-line import/no-default-export -- that is how it finds it
export default worker
