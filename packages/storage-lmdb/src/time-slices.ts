/** How long a turn may take, in milliseconds. */
const TURN_MS = 4

interface Job {
  readonly steps: Generator<void, unknown, void>
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
}

/** Works through long jobs in the order in which they came, a few milliseconds in each turn of the event loop. */
export class TimeSlices {
  #jobs: Job[] = []

  /** Takes the steps one by one. @returns what they come to. */
  async run<T>(steps: Generator<void, T, void>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ steps, resolve, reject })
      if (this.#jobs.length === 1) setImmediate(this.#run)
    })
  }

  /** Takes all steps that are left. */
  finish(): void {
    this.#work(Infinity)
  }

  readonly #run = (): void => {
    this.#work(performance.now() + TURN_MS)
    if (this.#jobs.length > 0) setImmediate(this.#run)
  }

  #work(end: number): void {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      if (stepOf(job)) this.#jobs.shift()
      if (performance.now() > end) return
    }
  }
}

/** Takes one step of a job. @returns whether it was the last. */
function stepOf({ steps, resolve, reject }: Job): boolean {
  try {
    const step = steps.next()
    if (step.done === true) resolve(step.value as never)
    return step.done === true
  } catch (error) {
    reject(error)
    return true
  }
}
