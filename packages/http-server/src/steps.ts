import type { TimeSlice } from './time-slice.ts'

/** Work that yields where something else can be done. Given up, it lets go of what it reads from. */
export type Steps<T> = Generator<undefined, T, void>

/** What steps come to, which rest between two of them. */
export async function inSlices<T>(steps: Steps<T>, slice: TimeSlice): Promise<T> {
  try {
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) return value
      await slice.rest()
    }
  } finally {
    // Where there is no use in going on.
    steps.return(undefined as T)
  }
}
