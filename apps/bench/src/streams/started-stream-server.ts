import { readFileSync } from 'node:fs'
import { startChild } from '../child.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import type { DialectName } from './dialect.ts'
import { hasNchan, startNchan } from './nchan.ts'
import type {
  StreamServerFacts,
  StreamServerJob,
  StreamServerReady,
} from './stream-server-process.ts'

export type StreamServerName = StreamServerJob['server'] | 'joined socket.write' | 'nchan'

/** A server of streams in a process and a folder of its own. */
export interface StartedStreamServer extends AsyncDisposable {
  readonly name: StreamServerName
  readonly port: number
  readonly dialect: DialectName
  readonly pid: number
  /** Processor time that it has used, in milliseconds. Collects garbage before where it can. */
  cpuMs(): Promise<number>
}

/** Those of some servers that this machine has. */
export function available(names: readonly StreamServerName[]): StreamServerName[] {
  return names.filter((name) => name !== 'nchan' || hasNchan())
}

/** @param logged Changes that its log has from the beginning. */
export async function startStreamServer(
  name: StreamServerName,
  logged?: number,
): Promise<StartedStreamServer> {
  await using resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await makeTemporaryFolder())
  if (name === 'nchan') {
    const nchan = resources.use(await startNchan(folder))
    const owned = resources.move()
    return {
      name,
      dialect: 'nchan',
      port: nchan.port,
      pid: nchan.pid,
      cpuMs: async () => cpuMsOf(nchan.pid),
      [Symbol.asyncDispose]: async () => owned.disposeAsync(),
    }
  }
  const job: StreamServerJob = {
    server: name === 'joined socket.write' ? 'socket.write' : name,
    folder,
    ...(logged === undefined ? {} : { logged }),
  }
  const child = resources.use(startChild('streams/stream-server-process.ts', job))
  const { port } = (await child.answer()) as StreamServerReady
  const owned = resources.move()
  return {
    name,
    dialect: name.endsWith('socket.write') ? (name as DialectName) : 'elkyn',
    port,
    pid: child.pid,
    cpuMs: async () => ((await child.ask('facts')) as StreamServerFacts).cpuMs,
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

// In hundredths of a second, as Linux gives it everywhere.
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
