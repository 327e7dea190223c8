import process from 'node:process'
import { Option } from 'commander'
import type { Command } from 'commander'
import { textArgument } from './arguments.ts'
import { Target } from './target.ts'

/** Which tree a command works on; see {@link addTargetOptions}. */
export interface TargetOptions {
  readonly url?: string
  readonly data?: string
}

const defaultUrl = 'http://127.0.0.1:8080'

/** Adds the options that say which tree a command works on. */
export function addTargetOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', `the server to ask (default: $ELKYN_URL or ${defaultUrl})`),
    )
    .addOption(
      new Option('--data <folder>', 'a data folder to open instead, while no server uses it')
        .argParser(textArgument)
        .conflicts('url'),
    )
}

/**
 * Opens the tree that the options name. Only to `write` makes a database in a folder that has none: where
 * there is nothing to `read` or to `remove`, the folder is most likely another one than was meant.
 * @param signal Ends what a server is asked, at once.
 * @throws {CommandError} `unavailable` for a folder that can't be opened.
 */
export async function openTarget(
  options: TargetOptions,
  access: 'read' | 'remove' | 'write',
  signal?: AbortSignal,
): Promise<Target> {
  if (options.data === undefined) {
    const { UrlTransport } = await import('./url-transport.ts')
    const url = options.url ?? (process.env['ELKYN_URL'] || defaultUrl)
    return new Target(new UrlTransport(url, signal))
  }
  // Loaded only here: who talks to a server has no use for another one.
  const { openFolder } = await import('./open-folder.ts')
  const { StoreTransport } = await import('./store-transport.ts')
  const tree = await openFolder({
    path: options.data,
    readOnly: access === 'read',
    create: access === 'write',
  })
  return new Target(new StoreTransport(options.data, tree))
}
