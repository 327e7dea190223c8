import { TreeError } from './errors.ts'
import type { IdempotencyKey, TreeWrite, WriteAccepted, WriteValue } from './store.ts'
import { TreeValue } from './tree-value.ts'

/** What a store remembers of the last accepted write of a client. */
export interface RememberedWrite {
  readonly number: number
  readonly fingerprint: string
  readonly memo: string | undefined
  readonly sequence: number | undefined
  readonly time: number
  /** For each pair the value that the store computed; `undefined` where the write says it itself, or it was too long. */
  readonly values: readonly (TreeValue | undefined)[]
}

/** Most characters of a fingerprint and of a memo: they are kept for each client. */
const maxTextLength = 1024

/**
 * To be called before the client is looked up: what is no name may be longer than a store can look for.
 * @throws {TypeError} for a key that is not one.
 */
export function checkIdempotencyKeyForm({
  client,
  number,
  fingerprint,
  memo = '',
}: IdempotencyKey): void {
  // Of programs without types as well: what is stored with others of a commit must not fail then.
  const isName = typeof (client as unknown) === 'string' && /^[\w.~-]{1,128}$/.test(client)
  if (!isName || !Number.isSafeInteger(number) || number < 1) {
    throw new TypeError(`Cannot write: ${client}-${number} is not an idempotency key`)
  }
  for (const text of [fingerprint, memo] as unknown[]) {
    if (typeof text === 'string' && text.length <= maxTextLength) continue
    throw new TypeError(
      `Cannot write: a fingerprint and a memo have ${maxTextLength} characters at most`,
    )
  }
}

/**
 * Whether a write is the one that its client is remembered for; if not, it is the next one.
 * @param last The last write of the client, or that it had one which is not remembered; `undefined` for a new client.
 * @throws {TreeError} `ERR_OUTCOME_UNKNOWN`, `ERR_IDEMPOTENCY_KEY_REUSED`
 * @throws {TypeError} for a key that is not one.
 */
export function checkIdempotencyKey(
  key: IdempotencyKey,
  last: Pick<RememberedWrite, 'number' | 'fingerprint'> | 'forgotten' | undefined,
): boolean {
  checkIdempotencyKeyForm(key)
  const { client, number, fingerprint } = key
  if (last === 'forgotten') throw unknownOutcome(key, `the last write of ${client} was forgotten`)
  const expected = (last?.number ?? 0) + 1
  if (number === expected) return false
  if (last === undefined) {
    throw unknownOutcome(key, `nothing is known of ${client}, which may have been forgotten`)
  }
  if (number !== last.number) {
    throw unknownOutcome(key, `the last write of ${client} was ${last.number}`)
  }
  if (fingerprint === last.fingerprint) return true
  throw new TreeError(
    'ERR_IDEMPOTENCY_KEY_REUSED',
    `Cannot write: number ${number} of ${client} was another write`,
  )
}

function unknownOutcome({ client, number }: IdempotencyKey, why: string): TreeError {
  return new TreeError(
    'ERR_OUTCOME_UNKNOWN',
    `Cannot tell whether write ${number} of ${client} was applied: ${why}`,
  )
}

/** What to remember of an accepted write. */
export function rememberedWrite(
  { pairs }: TreeWrite,
  { number, fingerprint, memo }: IdempotencyKey,
  { sequence, time, values }: WriteAccepted,
): RememberedWrite {
  const computed = values.map((value, index) =>
    isComputed(pairs[index]!.value) ? value : undefined,
  )
  return { number, fingerprint, memo, sequence, time, values: computed }
}

/** The outcome of a write that is remembered, when it is sent again. */
export function outcomeAgain({ pairs }: TreeWrite, remembered: RememberedWrite): WriteAccepted {
  const { sequence, time, values, memo } = remembered
  const again = pairs.map(({ value }, index) => {
    return values[index] ?? (isComputed(value) ? undefined : givenValue(value))
  })
  return { ok: true, sequence, time, values: again, repeated: { memo } }
}

/** Whether what is written is for the store to find out. */
function isComputed(value: WriteValue): boolean {
  return typeof value === 'function' || givenValue(value)?.hasServerValues === true
}

/** The value that a write says itself; `undefined` for one that was staged, as in any outcome. */
function givenValue(value: WriteValue): TreeValue | undefined {
  if (value instanceof TreeValue) return value
  if (
    typeof value === 'function' ||
    (typeof value === 'object' && value !== null && 'staged' in value)
  ) {
    return undefined
  }
  return TreeValue.fromNode(value)
}
