import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { pathArgument } from '../arguments.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

export function addDeleteCommand(program: Command): void {
  const command = program
    .command('delete')
    .summary('delete a path and all below it')
    .description('Deletes what is at a path, and all below it. Deleting nothing is not an error.')
    .argument('<path>', 'what to delete, such as /users/ada', pathArgument)
    .addHelpText(
      'after',
      `
Examples:
  elkyn delete /users/ada
  elkyn delete / --data ./data`,
    )
    .action(deletePath)
  addTargetOptions(command)
}

async function deletePath(path: Path, options: TargetOptions): Promise<void> {
  await using target = await openTarget(options, 'remove')
  await target.delete(path)
}
