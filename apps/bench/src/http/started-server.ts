import { startChild } from '../child.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import { heapProbeFlags } from './heaps-of-threads.ts'
import type { ThreadHeap } from './heaps-of-threads.ts'
import type { Request } from './load.ts'
import type {
  ServerJob,
  ServerMessage,
  ServerQuestion,
  ServerReady,
  ServerTime,
} from './server-process.ts'

/** A server in a process and a folder of its own, filled and checked. */
export interface StartedServer extends Pick<ServerReady, 'port' | 'reads'>, AsyncDisposable {
  readonly pid: number
  readonly folder: string
  time(): Promise<ServerTime>
  /**
   * Writes of the first thousand records, then of the same again. Sent in turn, each of them changes what
   * is there: a store may have nothing to do for the others. The lists of further calls do so too.
   */
  nextWrites(): readonly Request[]
  /** Makes sure that the first `count` of the last list of writes were carried out. */
  checkWrites(count: number): Promise<void>
  /** Only of a server that was started with `isProbed`. */
  heaps(): Promise<readonly ThreadHeap[]>
}

export interface StartServerOptions extends Omit<ServerJob, 'folder'> {
  /** Whether its threads can be asked for their heaps. Default: false. */
  readonly isProbed?: boolean
}

export async function startServer(options: StartServerOptions): Promise<StartedServer> {
  const { isProbed = false, ...rest } = options
  await using resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await makeTemporaryFolder())
  const job: ServerJob = { ...rest, folder }
  const flags = isProbed ? heapProbeFlags : []
  const child = resources.use(startChild('http/server-process.ts', job, flags))
  const ready = (await child.answer()) as ServerReady
  let visits = 0
  const ask = async (question: ServerQuestion, count = 0): Promise<unknown> =>
    child.ask({ question, count, leastVisits: visits - 1 } satisfies ServerMessage)
  const owned = resources.move()
  return {
    port: ready.port,
    reads: ready.reads,
    nextWrites() {
      visits += 2
      return [...withVisits(ready.writes, visits - 1), ...withVisits(ready.writes, visits)]
    },
    pid: child.pid,
    folder,
    time: async () => (await ask('time')) as ServerTime,
    async checkWrites(count) {
      await ask('check writes', count)
    },
    heaps: async () => (await ask('heaps')) as readonly ThreadHeap[],
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

function withVisits(writes: readonly Request[], visits: number): Request[] {
  return writes.map(({ body = '', ...request }) => ({
    ...request,
    body: body.replace('"visits":-1', `"visits":${visits}`),
  }))
}
