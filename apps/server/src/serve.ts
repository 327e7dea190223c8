import { isIPv6 } from 'node:net'
import { resolve as resolvePath } from 'node:path'
import process from 'node:process'
import type { IndexDefinitions } from '@elkyn/tree'
import type { Logger } from 'pino'
import { banner } from './banner.ts'
import { closeInTime } from './close-in-time.ts'
import { CommandError, systemErrorCode } from './command-error.ts'
import { refuseAuthVariables } from './environment.ts'
import { createLog } from './log.ts'
import { readRulesFile } from './rules-file.ts'
import { openServer } from './open-server.ts'
import type { OpenServer } from './open-server.ts'
import type { ServeOptions } from './serve-options.ts'
import { listenForStop } from './signals.ts'
import type { StopRequest } from './signals.ts'
import { startFacts, Supervisor } from './supervisor.ts'
import { readTlsFiles, tlsError, tlsFilesOf, watchTlsFiles } from './tls-files.ts'
import type { TlsFiles, TlsTexts } from './tls-files.ts'
import { tryAddresses } from './try-addresses.ts'
import { version } from './version.ts'

/**
 * Serves until a signal asks it to stop, then ends what runs and closes. When the disk or the
 * database fails it answers what was asked and ends the process.
 * @throws {CommandError} `usage` for rules and variables that cannot be honoured; `unavailable` when the port,
 * the data folder or the files for TLS cannot be had.
 */
export async function serve(given: ServeOptions): Promise<void> {
  refuseAuthVariables(process.env)
  using stop = listenForStop()
  // Nobody may read it any more. Until the end of the process: the last line fails late.
  process.stdout.on('error', () => {})
  const log = createLog(given.logLevel, process.stderr)
  using supervisor = openSupervisor(stop, log)
  const options = { ...given, port: supervisor?.facts.port ?? given.port }
  const failed = Promise.withResolvers<Error>()
  const indexes = options.rules === undefined ? undefined : await readRulesFile(options.rules)
  const tlsFiles = tlsFilesOf(options)
  await atAddresses(options, () => tryAddresses(options))
  const tls = tlsFiles && (await readTlsFiles(tlsFiles))
  await using opened = await open(options, { indexes, tlsFiles, tls }, log, failed.resolve)
  const { server } = opened
  await atAddresses(options, () => server.start())
  const { url } = server.address()
  // Who waits for the line has had it when the server is started again.
  if (!supervisor?.facts.restarts) announce(url, options)
  supervisor?.listening({ port: server.address().port, logLevel: options.logLevel })
  logListening(log, url, options)
  using _ = tls && watchTlsFiles(tlsFiles, tls, log, (renewed) => server.renewTls(renewed))
  if (options.metricsPort !== undefined) {
    log.info({ url: `${server.metricsAddress().url}/.metrics` }, 'showing metrics')
  }

  // Also when it stops already.
  const ended = failed.promise.then((error) => {
    log.fatal({ err: error }, 'the database failed, stopping')
    return opened.abort()
  })
  const signal = await Promise.race([aborted(stop.signal), ended])
  log.info({ signal }, 'stopping')
  await closeInTime(opened, log)
  log.info('stopped')
}

interface Files {
  readonly indexes: IndexDefinitions | undefined
  readonly tlsFiles: TlsFiles | undefined
  /** What is in those. */
  readonly tls: TlsTexts | undefined
}

async function open(
  options: ServeOptions,
  { indexes, tlsFiles, tls }: Files,
  log: Logger,
  onFatal: (error: Error) => void,
): Promise<OpenServer> {
  try {
    return await openServer(options, { indexes, tls }, log, onFatal)
  } catch (error) {
    throw tlsFiles === undefined ? error : tlsError(error, tlsFiles)
  }
}

/** @throws {CommandError} `unavailable`, where one of the addresses cannot be had. */
async function atAddresses(options: ServeOptions, listen: () => Promise<void>): Promise<void> {
  try {
    await listen()
  } catch (error) {
    throw listenError(error, options)
  }
}

function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function listenError(error: unknown, options: ServeOptions): unknown {
  const code = systemErrorCode(error)
  if (code === undefined) return error
  const [reason, hint] = listenReasons[code] ?? [code, undefined]
  const { host, port, tlsCert, metricsHost, metricsPort } = options
  const isMetrics = metricsPort !== undefined && isOfMetrics(error as FailedListen, options)
  const url = isMetrics
    ? urlOf('http', metricsHost, metricsPort)
    : urlOf(tlsCert === undefined ? 'http' : 'https', host, port)
  return new CommandError('unavailable', `Cannot listen on ${url}: ${reason}`, {
    cause: error,
    hint: isMetrics ? hint?.replaceAll('--', '--metrics-') : hint,
  })
}

/** What an error of Node's says about the address: no port where it was 0, or where the host was not found. */
interface FailedListen extends Error {
  readonly port?: number
  readonly address?: string
  readonly hostname?: string
}

/** Whether that is the one of the two addresses that metrics were to have. */
function isOfMetrics(
  failed: FailedListen,
  { port, metricsPort, metricsHost }: ServeOptions,
): boolean {
  return failed.port === undefined || port === metricsPort
    ? (failed.hostname ?? failed.address) === metricsHost
    : failed.port === metricsPort
}

const listenReasons: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  EADDRINUSE: [
    'the port is in use by another program',
    'Choose another one with --port, or 0 for any that is free.',
  ],
  EACCES: ['this user may not use the port', 'Choose one from 1024 on with --port.'],
  EADDRNOTAVAIL: ['this machine does not have the address', 'Choose another one with --host.'],
  ENOTFOUND: ['there is no such host name', 'Choose another one with --host.'],
}

/** Connects this process with the one that supervises it, if one does. */
function openSupervisor(stop: StopRequest, log: Logger): Supervisor | undefined {
  const facts = startFacts()
  if (facts === undefined) return undefined
  return new Supervisor(
    facts,
    (signal) => stop.stop(signal),
    () => {
      log.fatal('the supervising process has ended, ending at once')
      // Whoever starts it again must find the folder free. A kill can't be held up by anything.
      process.kill(process.pid, 'SIGKILL')
    },
  )
}

function announce(url: string, options: ServeOptions): void {
  const folder = resolvePath(options.data)
  if (process.stderr.isTTY) {
    process.stderr.write(banner({ version, url, folder, durability: options.durability }))
  }
  // The one line on standard output. Programs that start a server wait for it.
  process.stdout.write(`Elkyn DB listening on ${url}\n`)
}

function logListening(log: Logger, url: string, options: ServeOptions): void {
  const folder = resolvePath(options.data)
  log.info(
    {
      version,
      url,
      pid: process.pid,
      data: folder,
      durability: options.durability,
      threads: options.threads,
    },
    'listening',
  )
  if (!isLoopback(options.host)) {
    log.warn({ host: options.host }, 'anyone who reaches this address can read and write')
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** Resolves with the reason. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })
}
