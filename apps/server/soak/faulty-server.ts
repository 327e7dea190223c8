// A server whose store fails as it is asked to; started as `elkyn serve` is, under the same supervisor:
// `node faulty-server.ts FOLDER`.
import process from 'node:process'
import { ThreadPoolHttpServer } from '@elkyn/http-server'
import { createLog } from '../src/log.ts'
import { listenForStop } from '../src/signals.ts'
import { supervise } from '../src/supervise.ts'
import { startFacts, Supervisor } from '../src/supervisor.ts'
import type { StartFacts } from '../src/supervisor.ts'
import { faultyStorage } from './faulty-store.ts'

const { argv, execArgv, execPath } = process
const facts = startFacts()
process.exitCode =
  facts === undefined
    ? await supervise([execPath, ...execArgv, ...argv.slice(1)])
    : await run(facts)

async function run(known: StartFacts): Promise<number> {
  const folder = String(argv[2])
  const log = createLog('info', process.stderr)
  using stop = listenForStop()
  using supervisor = new Supervisor(
    known,
    (signal) => stop.stop(signal),
    () => process.kill(process.pid, 'SIGKILL'),
  )
  const server = new ThreadPoolHttpServer({
    store: faultyStorage(folder),
    port: known.port ?? 0,
    threads: 3,
    stallLimitMs: 1000,
    spoolFolder: folder,
    metrics: true,
    log,
  })
  await server.start()
  const { url, port } = server.address()
  if (known.restarts === 0) process.stdout.write(`Elkyn DB listening on ${url}\n`)
  supervisor.listening({ port, logLevel: 'info' })
  log.info({ url, pid: process.pid }, 'listening')
  await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }))
  await server.close()
  log.info('stopped')
  return 0
}
