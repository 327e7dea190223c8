import type { RoundOptions } from '../rounds.ts'
import type { Row } from '../table.ts'

export interface GroupOptions extends RoundOptions {
  /** Smaller data, for a look that takes a minute. */
  readonly isQuick: boolean
  /** How long the rows run that look at growth, in minutes. */
  readonly minutes: number
  /** Tells the reader what is being done. */
  readonly say: (text: string) => void
}

/** Some rows of the table that belong together. */
export type Group = (options: GroupOptions) => Promise<Row[]>
