import { describe } from 'vitest'
import { describeAddressing } from './addressing.ts'
import { describeBadInput } from './bad-input.ts'
import { describeCompression } from './compression.ts'
import { describeConditions } from './conditions.ts'
import { describeConnections } from './connections.ts'
import type { StartServer } from './fixture.ts'
import { describeNamespaces } from './namespaces.ts'
import { describeQueries } from './queries.ts'
import { describeQueryErrors } from './query-errors.ts'
import { describeReading } from './reading.ts'
import { describeRepeating } from './repeating.ts'
import { describeSizes } from './sizes.ts'
import { describeSurroundings } from './surroundings.ts'
import { describeWrapping } from './wrapping.ts'
import { describeWriting } from './writing.ts'

/** What every server does, whatever threads and store it has, seen through its socket. */
export function describeHttpServer(name: string, start: StartServer): void {
  // oxlint-disable-next-line vitest/valid-title -- whose name it is, only the caller knows
  describe(name, () => {
    describeAddressing(start)
    describeNamespaces(start)
    describeReading(start)
    describeWrapping(start)
    describeQueries(start)
    describeQueryErrors(start)
    describeWriting(start)
    describeSizes(start)
    describeConditions(start)
    describeCompression(start)
    describeRepeating(start)
    describeSurroundings(start)
    describeBadInput(start)
    describeConnections(start)
  })
}
