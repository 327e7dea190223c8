import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { pathArgument } from '../arguments.ts'
import { jsonArgument, openUpdateArgument } from '../json-input.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

export function addUpdateCommand(program: Command): void {
  const command = program
    .command('update')
    .summary('replace some children of a path')
    .description(
      `Replaces the children of a path that an object names, and keeps the others.
A name may be a path, and null deletes. All of it happens, or none.`,
    )
    .argument('<path>', 'where to write, such as /users/ada', pathArgument)
    .argument('<json>', `an object: ${jsonArgument}`)
    .addHelpText(
      'after',
      `
Examples:
  elkyn update /users/ada '{"born": 1815, "nickname": null}'
  elkyn update / '{"users/ada/age": 36, "count": {".sv": {"increment": 1}}}'
  elkyn update /users @new-users.json`,
    )
    .action(update)
  addTargetOptions(command)
}

async function update(path: Path, json: string, options: TargetOptions): Promise<void> {
  const body = openUpdateArgument(json)
  await using target = await openTarget(options, 'write')
  await target.update(path, body)
}
