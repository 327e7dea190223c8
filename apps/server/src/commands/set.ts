import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { pathArgument } from '../arguments.ts'
import { jsonArgument, openJsonArgument } from '../json-input.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

export function addSetCommand(program: Command): void {
  const command = program
    .command('set')
    .summary('replace the value at a path')
    .description('Replaces what is at a path. Setting null deletes it.')
    .argument('<path>', 'where to write, such as /users/ada', pathArgument)
    .argument('<json>', jsonArgument)
    .addHelpText(
      'after',
      `
Examples:
  elkyn set /users/ada '{"name": "Ada", "born": 1815}'
  elkyn set /users/ada/name '"Ada Lovelace"'
  elkyn set /users/ada @ada.json
  curl -s https://example.com/ada.json | elkyn set /users/ada -`,
    )
    .action(set)
  addTargetOptions(command)
}

async function set(path: Path, json: string, options: TargetOptions): Promise<void> {
  const body = openJsonArgument(json)
  await using target = await openTarget(options, 'write')
  await target.set(path, body)
}
