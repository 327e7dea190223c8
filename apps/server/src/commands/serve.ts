import { availableParallelism } from 'node:os'
import { Option } from 'commander'
import type { Command } from 'commander'
import { integerArgument, namesArgument, textArgument } from '../arguments.ts'
import { CommandError } from '../command-error.ts'
import { durabilities, logLevels } from '../serve-options.ts'
import type { ServeOptions } from '../serve-options.ts'
import { addLimitOptions } from './serve-limits.ts'

export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .summary('serve the tree in a data folder')
    .description(
      `Serves the tree in a data folder over HTTP until Ctrl-C, and makes the folder
if there is none. A second Ctrl-C ends it at once.

The server runs in a process of its own, which is started again when it crashes.`,
    )
    .addOption(
      new Option('--host <address>', 'the address to listen on')
        .default('127.0.0.1')
        .env('ELKYN_HOST')
        .argParser(textArgument),
    )
    .addOption(
      new Option('--port <number>', 'the port to listen on; 0 for any that is free')
        .default(8080)
        .env('ELKYN_PORT')
        .argParser(integerArgument(0, 65_535)),
    )
    .addOption(
      new Option('--data <folder>', 'the folder with the data')
        .default('./data')
        .env('ELKYN_DATA_DIR')
        .argParser(textArgument),
    )
    .addOption(
      new Option('--durability <kind>', 'full: synced before the answer; relaxed: once a second')
        .choices(durabilities)
        .default('full'),
    )
    .addOption(
      new Option(
        '--namespaces <names>',
        'serve several databases with these names; *: with any name',
      ).argParser(namesArgument),
    )
    .option('--default-namespace <name>', 'the database of requests that name none')
    .option('--rules <file>', 'a Firebase rules file, for the indexes in its ".indexOn"')
    .option(
      '--no-require-indexes',
      'allow queries without an index, which read all children of their place',
    )
    .option('--no-compression', 'never compress answers, not even for clients that take br or gzip')
    .addOption(
      new Option(
        '--threads <number>',
        'threads that read; auto: one per processor; 0: no threads at all',
      )
        .default(4)
        .env('ELKYN_THREADS')
        .argParser(threadsArgument),
    )
  addLimitOptions(command)
  command
    .addOption(
      new Option(
        '--tls-cert <file>',
        'the certificate, as PEM: turns on TLS, with HTTP/2 for those who can',
      )
        .env('ELKYN_TLS_CERT')
        .argParser(textArgument),
    )
    .addOption(
      new Option('--tls-key <file>', 'its private key, as PEM')
        .env('ELKYN_TLS_KEY')
        .argParser(textArgument),
    )
    .addOption(
      new Option('--log-level <level>', 'the lowest level that is logged to standard error')
        .choices(logLevels)
        .default('info')
        .env('ELKYN_LOG_LEVEL'),
    )
    .option(
      '--metrics',
      'show metrics for Prometheus at /.metrics, to anyone who reaches the server',
    )
    .addOption(
      new Option('--metrics-port <number>', 'show them on a port of their own instead').argParser(
        integerArgument(0, 65_535),
      ),
    )
    .addOption(
      new Option(
        '--metrics-host <address>',
        `the address for that port (default: "${defaultMetricsHost}")`,
      ).argParser(textArgument),
    )
    .option(
      '--no-supervise',
      'serve from one process that ends when it fails, if something else restarts it',
    )
    .addHelpText(
      'after',
      `
Examples:
  elkyn serve
  elkyn serve --port 9000 --data /var/lib/elkyn
  elkyn serve --port 8443 --tls-cert fullchain.pem --tls-key privkey.pem
  ELKYN_LOG_LEVEL=warn elkyn serve --host 0.0.0.0`,
    )
    .action(async (options: GivenOptions) => {
      if (options.metricsHost !== undefined && options.metricsPort === undefined) {
        throw new CommandError('usage', 'Cannot serve with --metrics-host alone', {
          hint: 'It is the address for --metrics-port.',
        })
      }
      // Loaded only here: the other commands need neither a server nor a log.
      const { serve } = await import('../serve.ts')
      await serve({ metricsHost: defaultMetricsHost, ...options })
    })
}

const maxThreads = 256

const defaultMetricsHost = '127.0.0.1'

type GivenOptions = Omit<ServeOptions, 'metricsHost'> & { readonly metricsHost?: string }

function threadsArgument(text: string): number {
  return text === 'auto'
    ? Math.min(availableParallelism(), maxThreads)
    : integerArgument(0, maxThreads)(text)
}
