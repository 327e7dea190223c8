import { resolve } from 'node:path'
import process from 'node:process'
import { SimpleHttpServer, ThreadPoolHttpServer, checkNamespaces } from '@elkyn/http-server'
import type { MetricsOption, NamespacesOptions, TlsOptions } from '@elkyn/http-server'
import type { OpenTreeOptions } from '@elkyn/storage-lmdb'
import { lmdbStorage } from '@elkyn/storage-lmdb/descriptor'
import type { IndexDefinitions } from '@elkyn/tree'
import type { Logger } from 'pino'
import { CommandError, exitCodes } from './command-error.ts'
import { folderError, openFolder } from './open-folder.ts'
import type { ServeOptions } from './serve-options.ts'

/** How long requests may take to end once the server is to stop. */
const closeTimeoutMs = 10_000

/** A server over the data folder, with or without threads, which does not listen yet. */
export interface OpenServer extends AsyncDisposable {
  readonly server: SimpleHttpServer | ThreadPoolHttpServer
  /** Ends what runs, and closes the folder. */
  close(): Promise<void>
  /** Ends the process, because the database beneath has failed: it can't be closed either. */
  abort(): Promise<never>
}

/**
 * Opens the data folder and makes a server for it.
 * @param onFatal Called when the database has failed.
 * @throws {CommandError} `unavailable`, with the way out, when the folder cannot be had; `usage` for
 * names that no databases have.
 * @throws {TypeError} for a key or a certificate that is not one.
 */
export async function openServer(
  options: ServeOptions,
  {
    indexes,
    tls,
  }: { readonly indexes: IndexDefinitions | undefined; readonly tls: TlsOptions | undefined },
  log: Logger,
  onFatal: (error: Error) => void,
): Promise<OpenServer> {
  const { host, port, data: path, durability, requireIndexes, threads } = options
  const namespaces = namespacesOption(options)
  const storage = {
    path,
    durability,
    requireIndexes,
    databases: namespaces === undefined ? 'one' : 'several',
    log: {
      maxBytes: options.changeLogSize * 1024 * 1024,
      maxAgeMs: options.changeLogHours * 60 * 60 * 1000,
    },
    // Without rules the indexes stay as they are. The rules are those of each database.
    ...(indexes && { indexes: namespaces === undefined ? indexes : inEachDatabase(indexes) }),
  } as const
  const metrics = metricsOption(options)
  const common = {
    host,
    port,
    log,
    metrics,
    onFatal,
    maxConnections: options.maxConnections,
    streams: {
      maxStreams: options.maxStreams,
      maxStreamsPerAddress: options.maxStreamsPerAddress,
      keepAliveMs: options.streamKeepAlive * 1000,
    },
    ...(tls && { tls }),
    ...(namespaces && { namespaces }),
    ...(options.compression ? {} : { compressFromBytes: Infinity }),
  }
  if (threads === 0) return inThread(common, storage)
  const server = new ThreadPoolHttpServer({
    ...common,
    store: lmdbStorage(storage),
    threads,
    // On the disk of the data: what is temporary elsewhere is often memory.
    spoolFolder: resolve(path),
  })
  try {
    await server.open()
  } catch (error) {
    throw folderError(error)
  }
  const close = (): Promise<void> => server.close({ timeoutMs: closeTimeoutMs })
  return {
    server,
    close,
    // A writer that has died inside a transaction keeps every other way to end the process waiting.
    abort: async () => process.abort(),
    [Symbol.asyncDispose]: close,
  }
}

async function inThread(
  common: Omit<ConstructorParameters<typeof SimpleHttpServer>[0], 'store'>,
  storage: OpenTreeOptions,
): Promise<OpenServer> {
  const tree = await openFolder(storage)
  const server = new SimpleHttpServer({ ...common, store: tree.store })
  const close = async (): Promise<void> => {
    await server.close({ timeoutMs: closeTimeoutMs })
    await tree.close()
  }
  return {
    server,
    close,
    async abort() {
      await server.close({ timeoutMs: closeTimeoutMs })
      process.exit(exitCodes.failed)
    },
    [Symbol.asyncDispose]: close,
  }
}

function metricsOption({ metrics, metricsPort, metricsHost }: ServeOptions): MetricsOption {
  return metricsPort === undefined ? metrics === true : { host: metricsHost, port: metricsPort }
}

function namespacesOption({
  namespaces,
  defaultNamespace,
}: ServeOptions): NamespacesOptions | undefined {
  if (namespaces === undefined) {
    if (defaultNamespace === undefined) return undefined
    throw new CommandError('usage', 'Cannot serve with --default-namespace alone', {
      hint: 'Name the databases with --namespaces.',
    })
  }
  const names = namespaces.filter((name) => name !== '*')
  try {
    return checkNamespaces({
      names,
      createOnUse: names.length < namespaces.length,
      ...(defaultNamespace === undefined ? {} : { default: defaultNamespace }),
    })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new CommandError('usage', error.message, { cause: error })
  }
}

function inEachDatabase(indexes: IndexDefinitions): IndexDefinitions {
  return Object.fromEntries(
    Object.entries(indexes).map(([place, fields]) => [`/*${place}`, fields]),
  )
}
