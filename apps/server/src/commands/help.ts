import type { Command } from 'commander'

/** In the place of commander's own, which shows the general help for a command that it does not know. */
export function addHelpCommand(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .summary('show the help of a command')
    .description('Shows the help of a command, or what commands there are.')
    .argument('[command]')
    .action(async (name: string | undefined) => {
      if (name === undefined) program.help()
      commandOf(program, name)?.help()
      // As if it were called: it is not known either, and gets a suggestion.
      await program.parseAsync([name], { from: 'user' })
    })
}

/** With `--help` commander looks at nothing else, and shows the general help for a command that it does not know. */
export function refuseHelpForUnknown(program: Command): void {
  program.addHelpText('before', () => {
    const [name] = program.args
    // Without the option it is an error, and gets a suggestion.
    if (name === undefined || name.startsWith('-') || commandOf(program, name)) return ''
    program.parse([name], { from: 'user' })
    return ''
  })
}

function commandOf(program: Command, name: string): Command | undefined {
  return program.commands.find((command) => command.name() === name)
}
