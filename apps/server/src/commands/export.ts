import process from 'node:process'
import { escapeKey, isReservedName, rootPath, unescapeKey } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { pathArgument, textArgument } from '../arguments.ts'
import { CommandError } from '../command-error.ts'
import { formatBytes } from '../format-bytes.ts'
import { writeFile, writeOutput } from '../output.ts'
import { Progress } from '../progress.ts'
import { renameKeys } from '../rename-keys.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

interface ExportOptions extends TargetOptions {
  readonly path: Path
  readonly out: string
  readonly plain?: true
  readonly unescapeKeys?: true
}

export function addExportCommand(program: Command): void {
  const command = program
    .command('export')
    .summary('write a part of the tree to a JSON file')
    .description(
      `Writes what is at a path, of any size, to a JSON file or to standard output.

The JSON has all that "elkyn import" needs to make the same tree again: the
priorities, and lists as objects with the keys "0", "1" and so on. With --plain
lists are arrays, and there are no priorities.`,
    )
    .option('--path <path>', 'what to write', pathArgument, rootPath)
    .option('--out <file>', 'the file to write, or - for standard output', textArgument, '-')
    .option('--plain', 'lists as arrays, and no priorities')
    .option('--unescape-keys', 'undo what "elkyn import --escape-keys" did to the keys')
    .addHelpText(
      'after',
      `
Examples:
  elkyn export --out backup.json
  elkyn export --path /cities --plain | gzip > cities.json.gz
  elkyn export --data ./data --out backup.json`,
    )
    .action(exportFile)
  addTargetOptions(command)
}

async function exportFile(options: ExportOptions): Promise<void> {
  await using target = await openTarget(options, 'read')
  const form = options.plain === true ? 'plain' : 'export'
  const stored = await target.read(options.path, { form })
  const blocks = options.unescapeKeys === true ? renameKeys(stored, originalName) : stored
  if (options.out === '-') return await writeOutput(blocks)

  const progress = new Progress(process.stderr, { label: 'Exporting' })
  await writeFile(options.out, progress.watch(blocks))
  const seconds = (progress.elapsedMs / 1000).toFixed(1)
  const what = `${formatBytes(progress.bytes)} from ${options.path} of ${target.label}`
  process.stderr.write(`Exported ${what} in ${seconds} s\n`)
}

/**
 * The name that an import has made a key of. A key that is none of those is refused: another one might get the same name.
 * @throws {CommandError}
 */
function originalName(key: string): string {
  const name = unescapeKey(key)
  // Names with a meaning are kept by an import as they are.
  if (escapeKey(name) === key && !isReservedName(name)) return name
  throw new CommandError(
    'failed',
    `Cannot undo --escape-keys: it has not made the key ${JSON.stringify(key)}`,
    {
      hint: 'Export without --unescape-keys.',
    },
  )
}
