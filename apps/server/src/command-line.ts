import process from 'node:process'
import { styleText } from 'node:util'
import { Command, CommanderError } from 'commander'
import { CommandError, exitCodes, reportError } from './command-error.ts'
import { addDeleteCommand } from './commands/delete.ts'
import { addExportCommand } from './commands/export.ts'
import { addGetCommand } from './commands/get.ts'
import { addHelpCommand, refuseHelpForUnknown } from './commands/help.ts'
import { addImportCommand } from './commands/import.ts'
import { addPushCommand } from './commands/push.ts'
import { addServeCommand } from './commands/serve.ts'
import { addSetCommand } from './commands/set.ts'
import { addUpdateCommand } from './commands/update.ts'
import { unsetEmptyVariables } from './environment.ts'
import { writeOutput } from './output.ts'
import { version } from './version.ts'

/**
 * Runs the command that `argv` names, and says on standard error why it failed.
 * @param argv as in `process.argv`
 * @returns the exit code
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  unsetEmptyVariables(process.env)
  // Where nobody reads it any more, there is nobody to tell.
  process.stderr.on('error', () => {})
  try {
    await run(argv)
    return exitCodes.ok
  } catch (error) {
    return report(error)
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const shown: string[] = []
  try {
    await createProgram((text) => void shown.push(text)).parseAsync(argv)
  } catch (error) {
    // Help and the version are no failure.
    if (!(error instanceof CommanderError) || error.exitCode !== exitCodes.ok) throw error
    await writeOutput([Buffer.from(shown.join(''))])
  }
}

/** @param show Takes what is for standard output: commander itself does not look at what becomes of it there. */
function createProgram(show: (text: string) => void): Command {
  const program = new Command('elkyn')
    .description('Elkyn DB, a database for one JSON tree: serve it, and work with its data.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('Add --help to see what there is.')
    // Commander takes the style away again where the output shows no colors.
    .configureHelp({ styleTitle: (title) => styleText('bold', title, { validateStream: false }) })
    .configureOutput({ writeOut: show })
    .exitOverride()
  refuseHelpForUnknown(program)

  program.commandsGroup('Server:')
  addServeCommand(program)
  program.commandsGroup('Data:')
  addGetCommand(program)
  addSetCommand(program)
  addUpdateCommand(program)
  addPushCommand(program)
  addDeleteCommand(program)
  program.commandsGroup('Files:')
  addImportCommand(program)
  addExportCommand(program)
  program.commandsGroup('Help:')
  addHelpCommand(program)
  return program
}

function report(error: unknown): number {
  // Commander has said what is wrong already.
  if (error instanceof CommanderError) return exitCodes.usage
  if (error instanceof CommandError) return reportError(error)
  throw error
}
