/** V8 copies what is shorter, whatever it was cut from. */
export const leastShared = 13

/**
 * The same text with memory of its own. Engines cut texts by pointing at the whole and join them by pointing at the
 * parts, so that one which is kept for a while keeps all of these. Joined with one more unit and cut again, it points
 * at nothing but that.
 */
export function ownText(text: string): string {
  return text.length < leastShared ? text : ` ${text}`.slice(1)
}
