/** A text as one word of a command line, for messages that show what to type. */
export function shellWord(text: string): string {
  return /^[\w/@%+=:,.-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
