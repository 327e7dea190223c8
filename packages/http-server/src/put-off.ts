import type { HttpResponse, RawHeaders } from './message.ts'
import { bareHeaders } from './response.ts'
import { TimeSlice } from './time-slice.ts'

/** How long is read before something counts as long, in milliseconds. */
const quickMs = 0.25

/** Thrown where something takes longer than {@link QuickSlice} allows. */
export class TakesLonger extends Error {
  constructor() {
    super('It takes longer')
  }
}

/** A slice of work behind which there is no other one. */
export class QuickSlice extends TimeSlice {
  constructor() {
    super(quickMs)
  }

  /** @throws {TakesLonger} */
  protected override async pause(): Promise<void> {
    throw new TakesLonger()
  }
}

/** Stands for the answer to a write that takes longer, and of which nothing was done. */
export const putOffWrite: HttpResponse = { status: 503, headers: bareHeaders }

/** Stands for the answer to a write that was carried out or refused, and whose answer takes longer to read. */
export class PutOffAnswer implements HttpResponse {
  readonly status: number
  readonly headers: RawHeaders = bareHeaders
  /** Gives the answer. @param rest To be called between two steps; may throw to end the work. */
  readonly read: (rest: () => Promise<void>) => Promise<HttpResponse>

  constructor(status: number, read: PutOffAnswer['read']) {
    this.status = status
    this.read = read
  }
}
