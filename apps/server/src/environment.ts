import { CommandError } from './command-error.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Refuses to serve when the environment asks for a protection that this version does not have: to
 * ignore the variable would leave the data open to everybody.
 * @throws {CommandError} `usage`
 */
export function refuseAuthVariables(environment: Environment): void {
  for (const name of ['ELKYN_AUTH_SECRET', 'ELKYN_REQUIRE_AUTH']) {
    const value = environment[name] ?? ''
    if (['', '0', 'false', 'no', 'off'].includes(value.toLowerCase())) continue
    throw new CommandError(
      'usage',
      `Cannot serve with ${name}: this version has no authentication`,
      {
        hint: `Anyone who reaches the server could read and write. Unset ${name} if that is what you want.`,
      },
    )
  }
}

/** Takes out variables of this program that are empty: that means the same as to leave them out. */
export function unsetEmptyVariables(environment: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith('ELKYN_') && value === '') delete environment[name]
  }
}
