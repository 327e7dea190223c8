import { parsePath, TreeError } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import { InvalidArgumentError } from 'commander'

/**
 * Reads a path in the tree from the command line. The slash in front may be missing, but not for the
 * root: what a script has left empty must not delete everything. Nor must `/users/$ID` delete all users, so that
 * no key may be empty, as it may in a URL.
 */
export function pathArgument(text: string): Path {
  if (text.includes('//') || (text.endsWith('/') && text !== '/')) {
    throw new InvalidArgumentError('A key in it is empty.')
  }
  try {
    return parsePath(textArgument(text), { priority: true })
  } catch (error) {
    if (error instanceof TreeError) throw new InvalidArgumentError(error.message)
    throw error
  }
}

/** Reads a text that has to be there: an empty host, for one, would be every address of the machine. */
export function textArgument(text: string): string {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('It is empty.')
}

/** Reads names parted by commas. */
export function namesArgument(text: string): string[] {
  return text.split(',').map((name) => textArgument(name.trim()))
}

/** Reads a whole number in a range. */
export function integerArgument(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
    throw new InvalidArgumentError(`It has to be a whole number from ${minimum} to ${maximum}.`)
  }
}
