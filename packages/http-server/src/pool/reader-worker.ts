import { defineWorker } from '@elkyn/thread-pool/worker'
import type { TaskContext, WorkerDefinition } from '@elkyn/thread-pool/worker'
import type { StreamTarget } from '../streams/stream-target.ts'
import type {
  LargeRead,
  LargeStream,
  Reader,
  ReaderJob,
  StreamAnswer,
  StreamRefusal,
} from './reader.ts'
import type { ThreadData } from './thread-data.ts'
import { keepCompiled } from './worker-module.ts'
import { untilOpened, untilServing } from './writer-progress.ts'

// Not an interface, which has no index signature.
type ReaderHandlers = {
  ready: () => void
  read: (head: string, context: TaskContext<Reader>) => Uint8Array
  readLarge: (task: LargeRead, context: TaskContext<Reader>) => Promise<void>
  stream: (job: ReaderJob, context: TaskContext<Reader>) => StreamAnswer | Promise<StreamAnswer>
  checkStream: (target: StreamTarget, context: TaskContext<Reader>) => StreamRefusal | undefined
  streamLarge: (task: LargeStream, context: TaskContext<Reader>) => Promise<void>
}

/**
 * A thread that answers reads, each from a snapshot of its own. Only the first one is needed for the first
 * answer: the others load their code when the server listens.
 */
export const worker: WorkerDefinition<Reader, ReaderHandlers> = defineWorker({
  async setup({ thread, workerData }): Promise<Reader> {
    const data = workerData as ThreadData
    const progress = new Int32Array(data.progress)
    if (thread > 0) await untilServing(progress)
    const { Reader } = await import('./reader.ts')
    await untilOpened(progress)
    keepCompiled()
    return Reader.open(data, thread)
  },

  teardown: (reader: Reader) => reader.close(),

  handlers: {
    ready() {},
    read: (head: string, { state }: TaskContext<Reader>): Uint8Array => state.read(head),
    readLarge: (task: LargeRead, { state }: TaskContext<Reader>): Promise<void> =>
      state.readLarge(task),
    stream: (
      job: ReaderJob,
      { state }: TaskContext<Reader>,
    ): StreamAnswer | Promise<StreamAnswer> => state.runStreamJob(job),
    checkStream: (
      target: StreamTarget,
      { state }: TaskContext<Reader>,
    ): StreamRefusal | undefined => state.checkStream(target),
    streamLarge: (task: LargeStream, { state }: TaskContext<Reader>): Promise<void> =>
      state.streamLarge(task),
  },
})
