import { startChild } from '../child.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import { heapProbeFlags } from './heaps-of-threads.ts'
import type { ThreadHeap } from './heaps-of-threads.ts'
import type {
  ServerJob,
  ServerMessage,
  ServerQuestion,
  ServerReady,
  ServerTime,
} from './server-process.ts'

/** A server in a process and a folder of its own, filled and checked. */
export interface StartedServer extends ServerReady, AsyncDisposable {
  readonly pid: number
  readonly folder: string
  time(): Promise<ServerTime>
  /** Makes sure that the first `count` of `writes` were carried out. */
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
  const ask = async (question: ServerQuestion, count = 0): Promise<unknown> =>
    child.ask({ question, count } satisfies ServerMessage)
  const owned = resources.move()
  return {
    ...ready,
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
