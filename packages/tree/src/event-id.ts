/** A place in the history of a tree, as an event says it that came from a change. */
export interface EventPlace {
  /** The id of the change. */
  readonly id: string
  /** How many of its pairs lie before the place; `Infinity` for all. */
  readonly pairs: number
}

/**
 * The id of an event in the middle of a change, behind so many of its pairs: the id of the change,
 * which ends in a hyphen and a mark, with that number in front of the hyphen.
 */
export function eventIdInside(changeId: string, pairs: number): string {
  return changeId.replace(/-[^-]*$/, `.${pairs}$&`)
}

/** Reads what {@link eventIdInside} has made, or the id of a change. */
export function parseEventId(eventId: string): EventPlace {
  const { before, pairs, mark } =
    /^(?<before>.*-\d+)\.(?<pairs>\d+)(?<mark>-[^-]*)$/.exec(eventId)?.groups ?? {}
  if (before === undefined) return { id: eventId, pairs: Infinity }
  return { id: `${before}${mark}`, pairs: Number(pairs) }
}

/** The number of the change that an event came from; `NaN` where its id says none. */
export function sequenceOfEventId(eventId: string): number {
  return Number(/-(\d+)(?:\.\d+)?-[^-]*$/.exec(eventId)?.[1])
}
