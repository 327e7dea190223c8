import { TreeError } from '@elkyn/tree'
import type {
  IdempotencyKey,
  JsonForm,
  Path,
  TreeErrorCode,
  WriteAccepted,
  WritePair,
  WriteRefused,
} from '@elkyn/tree'
import type { Conditions } from './conditions.ts'
import { fingerprintOf } from './idempotency-key.ts'
import type { NumberedRequest } from './idempotency-key.ts'
import type { HttpResponse } from './message.ts'
import type { Method } from './method.ts'
import type { Print } from './parameters.ts'
import type { ReadPlan, RespondPlan, WritePlan } from './plan.ts'
import { Refusal } from './refusal.ts'
import { valueResponse } from './value-response.ts'

/** A request to change what is at a path. */
export interface WriteRequest {
  readonly method: Method
  readonly path: Path
  /** Where its database begins in the store, and the path in that. */
  readonly database: Path
  readonly shownPath: Path
  readonly print: Print
  readonly form: JsonForm
  readonly conditions: Conditions
  /** Most bytes of what is written, and of what was there before. */
  readonly writeMaxBytes: number | undefined
  readonly idempotencyKey: NumberedRequest | undefined
}

/** What a write needs to be known again. */
interface RepeatFacts {
  readonly digest: string | undefined
  /** The key of a new child. */
  readonly memo?: string | undefined
  /** The path of an update, whose members are written. */
  readonly update?: Path
}

/** Writes all pairs or none. A write whose condition fails is answered with what is there instead. */
export function planWrite(
  request: WriteRequest,
  facts: RepeatFacts,
  pairs: readonly WritePair[],
  answer: (outcome: WriteAccepted) => RespondPlan | ReadPlan,
): WritePlan {
  const { path } = request
  const etag = request.conditions.ifMatch
  return {
    kind: 'write',
    maxReplacedBytes: request.writeMaxBytes,
    write: {
      pairs,
      ...(etag === undefined ? {} : { precondition: { path, etag } }),
      ...(facts.update && { update: facts.update }),
      ...(request.idempotencyKey && { idempotencyKey: idempotencyKeyOf(request, facts) }),
    },
    answer: (outcome) => {
      if (outcome.ok) return answer(outcome)
      if (outcome.current !== undefined) {
        return { kind: 'respond', response: changedResponse(request, outcome.current) }
      }
      if (hasCode(outcome.error, 'ERR_CONDITION_FAILED')) return planChanged(request)
      throw hasCode(outcome.error, 'ERR_INVALID_PRIORITY') ? invalidPriority() : outcome.error
    },
  }
}

function idempotencyKeyOf(
  { method, path, conditions, idempotencyKey }: WriteRequest,
  { digest = '', memo }: RepeatFacts,
): IdempotencyKey {
  const fingerprint = fingerprintOf([method, path, conditions.ifMatch ?? '', digest])
  return { ...idempotencyKey!, fingerprint, ...(memo === undefined ? {} : { memo }) }
}

/** What is there instead, so that the client can decide again. No error object. */
function changedResponse(
  request: WriteRequest,
  { value, etag }: NonNullable<WriteRefused['current']>,
): HttpResponse {
  return changed(request, [Buffer.from(value.toText(request.form))], etag)
}

/** The same for what is too large to have come back with the outcome. */
function planChanged(request: WriteRequest): ReadPlan {
  const { path, form } = request
  return {
    kind: 'read',
    run: (snapshot) => {
      // First, since it may have to be read in slices, behind which this begins again.
      const etag = snapshot.etag(path)
      return changed(request, snapshot.jsonBlocks(path, form), etag)
    },
  }
}

function changed(
  { print }: WriteRequest,
  blocks: Iterable<Uint8Array> | undefined,
  etag: string,
): HttpResponse {
  return { ...valueResponse(blocks, print === 'pretty' ? 'pretty' : 'compact', etag), status: 412 }
}

function hasCode(error: Error, code: TreeErrorCode): boolean {
  return error instanceof TreeError && error.code === code
}

/** Said here, because a store says it with its own path of the place. */
export function invalidPriority(): Refusal {
  return new Refusal(400, 'Invalid data: a priority is a number, a string or null')
}
