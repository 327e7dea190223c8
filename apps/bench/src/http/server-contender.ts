import type { Contender } from '../rounds.ts'
import { spreadOf } from '../spread.ts'
import type { LoadGenerator, LoadRequest } from './load.ts'
import { startServer } from './started-server.ts'
import type { StartServerOptions } from './started-server.ts'

/** A server that is asked as fast as it answers. */
export interface ServerContender extends Contender {
  /** Requests a second of the server's processor time, round by round: what a busy machine changes least. */
  cpuRates(): readonly number[]
  /** Microseconds of processor time a request: of the thread that listens and of the process. */
  costs(): string
}

export interface ServerContenderOptions extends StartServerOptions {
  /** Name in the table. Default: the server's. */
  readonly name?: string
  readonly sends: 'reads' | 'writes'
  readonly connections: number
  readonly seconds: number
  readonly load: LoadGenerator
  readonly say: (text: string) => void
}

export async function startServerContender(
  options: ServerContenderOptions,
): Promise<ServerContender> {
  const { name = options.server, sends, connections, seconds, load, say, ...job } = options
  await using resources = new AsyncDisposableStack()
  const server = resources.use(await startServer(job))
  const request = (): LoadRequest => {
    const requests = sends === 'reads' ? server.reads : server.nextWrites()
    return { port: server.port, requests, connections, seconds }
  }
  const check = async (requests: number): Promise<void> => {
    // What was sent last on each connection may have got no answer.
    if (sends === 'writes') await server.checkWrites(requests - connections)
  }
  // The trial before the first round is too short to warm a server up.
  await check((await load.run(request())).requests)
  const owned = resources.move()
  const times: { cpu: number; main: number }[] = []
  // The trial before the first round is not among the rounds.
  const timesOf = (part: 'cpu' | 'main'): number[] => times.slice(1).map((time) => time[part])
  return {
    name,
    cpuRates: () => timesOf('cpu').map((milliseconds) => 1000 / milliseconds),
    costs() {
      const [main, cpu] = (['main', 'cpu'] as const).map((part) =>
        (spreadOf(timesOf(part)).median * 1000).toFixed(1),
      )
      return `${main} of ${cpu} µs`
    },
    async trial() {
      const made = request()
      const before = await server.time()
      const { requests, elapsedMs } = await load.run(made)
      const after = await server.time()
      await check(requests)
      const cpuMs = after.cpuMs - before.cpuMs
      times.push({ cpu: cpuMs / requests, main: (after.mainMs - before.mainMs) / requests })
      // Less than a whole core says that the client or another program was in the way.
      say(`  ${name}: ${Math.round((cpuMs / elapsedMs) * 100)} % of a core`)
      return { units: requests, elapsedMs }
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}
