import process from 'node:process'
import { escapeKey, rootPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { integerArgument, pathArgument, textArgument } from '../arguments.ts'
import { formatBytes } from '../format-bytes.ts'
import { checkDocument, importDocument } from '../import-document.ts'
import type { ImportOptions, ImportState } from '../import-document.ts'
import { importFailure } from '../import-failure.ts'
import { checkInput, readInput } from '../json-input.ts'
import { Progress } from '../progress.ts'
import { listenForStop } from '../signals.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

interface ImportFileOptions extends TargetOptions {
  readonly path: Path
  readonly merge?: true
  readonly escapeKeys?: true
  readonly resumeFrom?: Path
  readonly partSize: number
}

export function addImportCommand(program: Command): void {
  const command = program
    .command('import')
    .summary('store a JSON file of any size')
    .description(
      `Stores a JSON file of any size at a path, in the place of what is there.

A data folder takes the whole file in one step: all of it is stored, or none.
A server gets it in parts, each all or nothing; an import that stops says how
to go on from there. A file is checked to its end before the first part is
sent; standard input is not.`,
    )
    .argument('<file>', 'the JSON file, or - for standard input', textArgument)
    .option('--path <path>', 'where to store it', pathArgument, rootPath)
    .option('--merge', 'keep the children of the path that the file does not name')
    .option('--escape-keys', 'percent-encode what a key cannot hold: "4.4" becomes "4%2E4"')
    .option(
      '--resume-from <path>',
      'leave out what comes before this path in the file',
      pathArgument,
    )
    .option(
      '--part-size <KiB>',
      'about how much goes to a server at once',
      integerArgument(1, 32 * 1024),
      2048,
    )
    .addHelpText(
      'after',
      `
Examples:
  elkyn import cities.json --path /cities
  elkyn import backup.json --data ./data
  curl -s https://example.com/users.json | elkyn import - --path /users --merge`,
    )
    .action(importFile)
  addTargetOptions(command)
}

async function importFile(file: string, options: ImportFileOptions): Promise<void> {
  using stop = listenForStop()
  const totalBytes = checkInput(file)
  await using target = await openTarget(options, 'write', stop.signal)
  const settings: ImportOptions = {
    path: options.path,
    depth: target.depthOf(options.path),
    merge: options.merge === true,
    resumeFrom: options.resumeFrom,
    toKey: options.escapeKeys === true ? escapeKey : undefined,
    partLength: options.partSize * 1024,
  }
  const state: ImportState = { next: options.resumeFrom }
  const progress = new Progress(process.stderr, { label: 'Importing', totalBytes })
  try {
    if (!target.takesAnySize && totalBytes !== undefined) {
      const checking = new Progress(process.stderr, { label: 'Checking ', totalBytes })
      await checkDocument(checking.watch(readInput(file, stop)), settings)
    }
    await importDocument(progress.watch(readInput(file, stop)), target, settings, state)
  } catch (error) {
    throw await importFailure(error, { file, state, stop: stop.signal })
  }
  const seconds = (progress.elapsedMs / 1000).toFixed(1)
  const what = `${formatBytes(progress.bytes)} into ${options.path} of ${target.label}`
  process.stderr.write(`Imported ${what} in ${seconds} s\n`)
}
