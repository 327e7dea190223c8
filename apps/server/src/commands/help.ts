import type { Command } from 'commander'

/** In the place of commander's own, which shows the general help for a command that it does not know. */
export function addHelpCommand(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .helpOption(false)
    .summary('show the help of a command')
    .argument('[command]')
    .action(async (name: string | undefined) => {
      if (name === undefined) program.help()
      program.commands.find((command) => command.name() === name)?.help()
      // As if it were called: it is not known either, and gets a suggestion.
      await program.parseAsync([name], { from: 'user' })
    })
}
