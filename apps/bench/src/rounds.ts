/** Something that is timed against others. */
export interface Contender extends AsyncDisposable {
  readonly name: string
  /** What else the table says about it. */
  readonly note?: string | undefined
  /** Does the work `count` times. */
  trial(count: number): Promise<TrialResult>
}

export interface TrialResult {
  /** How much was done: operations or bytes. */
  readonly units: number
  readonly elapsedMs: number
}

export interface RoundOptions {
  /** How often each contender runs. */
  readonly rounds: number
  /** How long one trial should take. */
  readonly trialMs: number
}

/** What one contender did, in units a second, round by round. */
export interface Rates {
  readonly name: string
  readonly note: string | undefined
  readonly rates: readonly number[]
}

/**
 * Runs contenders in turn, A B A B, so that what disturbs the machine disturbs all of them. Trials
 * before the first round warm them up and find out how many operations fill the time.
 */
export async function runRounds(
  contenders: readonly Contender[],
  options: RoundOptions,
): Promise<Rates[]> {
  const counts: number[] = []
  for (const contender of contenders) counts.push(await calibrate(contender, options))
  const results = contenders.map(({ name, note }) => ({ name, note, rates: [] as number[] }))
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const { units, elapsedMs } = await contender.trial(counts[index]!)
      results[index]!.rates.push((units / elapsedMs) * 1000)
    }
  }
  return results
}

/** The number of operations that takes about as long as a trial should. */
async function calibrate(contender: Contender, { trialMs }: RoundOptions): Promise<number> {
  let count = 1
  for (;;) {
    const { elapsedMs } = await contender.trial(count)
    const factor = trialMs / Math.max(elapsedMs, 0.01)
    if (factor <= 2) return Math.max(1, Math.round(count * factor))
    count = Math.ceil(count * Math.min(8, factor))
  }
}
