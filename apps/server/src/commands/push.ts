import type { Path } from '@elkyn/tree'
import type { Command } from 'commander'
import { pathArgument } from '../arguments.ts'
import { jsonArgument, openJsonArgument } from '../json-input.ts'
import { writeOutput } from '../output.ts'
import { addTargetOptions, openTarget } from '../target-options.ts'
import type { TargetOptions } from '../target-options.ts'

export function addPushCommand(program: Command): void {
  const command = program
    .command('push')
    .summary('add a child under a new key')
    .description(
      `Adds a child to a path and prints its key. A key sorts after those that were
made before it, so a list stays in order.`,
    )
    .argument('<path>', 'the list, such as /messages', pathArgument)
    .argument('<json>', jsonArgument)
    .addHelpText(
      'after',
      `
Examples:
  elkyn push /messages '{"from": "ada", "text": "Hello"}'
  elkyn push /log '{"at": {".sv": "timestamp"}, "event": "backup done"}'`,
    )
    .action(push)
  addTargetOptions(command)
}

async function push(path: Path, json: string, options: TargetOptions): Promise<void> {
  const body = openJsonArgument(json)
  await using target = await openTarget(options, 'write')
  const key = await target.push(path, body)
  await writeOutput([Buffer.from(key)])
}
