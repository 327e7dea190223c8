import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { TlsOptions } from '@elkyn/http-server'
import type { Logger } from 'pino'
import { CommandError, systemErrorCode } from './command-error.ts'
import { fileReason } from './file-reason.ts'
import type { ServeOptions } from './serve-options.ts'

export interface TlsFiles {
  /** The file with the certificate, and those between it and the one that clients know. */
  readonly cert: string
  /** The file with its private key. */
  readonly key: string
}

/**
 * The files that the options name; `undefined` for a server without TLS.
 * @throws {CommandError} `usage` when only one of them is named.
 */
export function tlsFilesOf({ tlsCert: cert, tlsKey: key }: ServeOptions): TlsFiles | undefined {
  if (cert !== undefined && key !== undefined) return { cert, key }
  if (cert === undefined && key === undefined) return undefined
  const [given, missing] =
    cert === undefined ? ['--tls-key', '--tls-cert'] : ['--tls-cert', '--tls-key']
  throw new CommandError('usage', `Cannot serve with ${given} alone: TLS takes ${missing} too`)
}

/** What is in the files. */
export interface TlsTexts extends TlsOptions {
  readonly cert: Buffer
  readonly key: Buffer
}

/** @throws {CommandError} `unavailable` when one of the files can't be read. */
export async function readTlsFiles({ cert, key }: TlsFiles): Promise<TlsTexts> {
  return { cert: await read('certificate', cert), key: await read('key', key) }
}

async function read(what: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = systemErrorCode(error)
    if (code === undefined) throw error
    const reason = fileReason(code, 'read')
    throw new CommandError('unavailable', `Cannot read the ${what} ${path}: ${reason}`, {
      cause: error,
    })
  }
}

/** What is wrong with files that could be read; anything else as it is. */
export function tlsError(error: unknown, { cert, key }: TlsFiles): unknown {
  if (!(error instanceof TypeError) || !error.message.startsWith('Cannot use TLS: ')) return error
  const hint = `Both files have to be PEM, and the key has to belong to the certificate: ${cert}, ${key}`
  return new CommandError('unavailable', error.message, { cause: error, hint })
}

/** How often files are looked at that may have been renewed. */
const watchIntervalMs = 2000

/**
 * Uses renewed files as soon as both belong together; until then, the earlier ones. Looks at them again and
 * again: tools that renew certificates change links, of which the system tells nothing.
 *
 * @param inUse What was in the files when they were read.
 * @returns the way to stop.
 */
export function watchTlsFiles(
  files: TlsFiles,
  inUse: TlsTexts,
  log: Pick<Logger, 'info' | 'warn'>,
  use: (tls: TlsOptions) => void,
): Disposable {
  let used = inUse
  const renew = async (): Promise<void> => {
    try {
      const tls = await readTlsFiles(files)
      if (tls.cert.equals(used.cert) && tls.key.equals(used.key)) return
      use(tls)
      used = tls
      log.info('the certificate was renewed')
    } catch (error) {
      // The other file may only be on its way.
      log.warn({ err: error }, 'the certificate could not be renewed yet')
    }
  }
  const listener = (): void => void renew()
  const paths = [files.cert, files.key]
  for (const path of paths) {
    watchFile(path, { interval: watchIntervalMs, persistent: false }, listener)
  }
  // Only changes from now on are seen, and the server may have taken long to start.
  listener()
  return {
    [Symbol.dispose]() {
      for (const path of paths) unwatchFile(path, listener)
    },
  }
}
