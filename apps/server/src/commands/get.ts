import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { pathArgument } from '../arguments.ts'
import { writeOutput } from '../output.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

interface GetOptions extends TargetOptions {
  readonly pretty?: true
  readonly shallow?: true
  readonly export?: true
}

export function addGetCommand(program: Command): void {
  const command = program
    .command('get')
    .summary('print the value at a path')
    .description('Prints what is at a path as JSON; null where nothing is.')
    .argument('<path>', 'what to read, such as /users/ada', pathArgument)
    .option('--pretty', 'indent the JSON')
    .option('--shallow', 'only the names of the children')
    .option('--export', 'show priorities, and objects instead of arrays')
    .addHelpText(
      'after',
      `
Examples:
  elkyn get /users/ada --pretty
  elkyn get / --shallow
  elkyn get /users/ada/name --data ./data`,
    )
    .action(get)
  addTargetOptions(command)
}

async function get(path: Path, options: GetOptions): Promise<void> {
  await using target = await openTarget(options, 'read')
  const blocks = await target.read(path, {
    form: options.export === true ? 'export' : 'plain',
    shallow: options.shallow === true,
    pretty: options.pretty === true,
  })
  await writeOutput(blocks)
}
