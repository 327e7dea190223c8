import {
  TreeError,
  isPriorityPath,
  joinPath,
  nullEtag,
  parseJson,
  parseUpdate,
  pathDepth,
  rootPath,
} from '@elkyn/tree'
import type {
  JsonForm,
  Path,
  StagedPair,
  StagedValue,
  TreeSnapshot,
  WriteAccepted,
  WritePair,
  WriteRefused,
} from '@elkyn/tree'
import type { Conditions } from './conditions.ts'
import type { HttpResponse } from './message.ts'
import type { Print } from './parameters.ts'
import type { BodyPlan, ReadPlan, RespondPlan, WritePlan } from './plan.ts'
import { Refusal } from './refusal.ts'
import { valueResponse } from './value-response.ts'
import { answerWritten, writtenBlocks, writtenEtag, writtenMembers } from './written.ts'
import type { Written } from './written.ts'

/** A request to change what is at a path. */
export interface WriteRequest {
  readonly path: Path
  readonly print: Print
  readonly form: JsonForm
  readonly conditions: Conditions
}

/** Replaces what is at the path, and answers what was written. */
export function planPut(request: WriteRequest): BodyPlan {
  return planValue(request, request.path, request.print !== 'silent', (written, snapshot) =>
    writtenBlocks(written, request.form, snapshot),
  )
}

/** Adds a child under a new key, and answers the key. */
export function planPost(request: WriteRequest, key: string): BodyPlan {
  const name = [Buffer.from(`{"name":${JSON.stringify(key)}}`)]
  return planValue(request, joinPath(request.path, key), false, () => name)
}

type Show = (written: Written, snapshot?: TreeSnapshot) => Iterable<Uint8Array> | undefined

function planValue(request: WriteRequest, path: Path, showsValue: boolean, show: Show): BodyPlan {
  const depth = pathDepth(path)
  const { wantsEtag } = request.conditions
  const plan = (value: StagedPair['value'] = null): WritePlan => {
    if (isPriorityPath(path) && isStaged(value)) {
      throw new Refusal(400, 'Invalid data: a priority is a number, a string or null')
    }
    return planWrite(request, [{ path, value }], ({ values }) => {
      const written = { path, value: values[0] }
      return answerWritten([written], showsValue || wantsEtag, (snapshot) => {
        const etag = wantsEtag ? writtenEtag(written, snapshot) : undefined
        return valueResponse(show(written, snapshot), request.print, etag)
      })
    })
  }
  return {
    kind: 'body',
    parse: (body) => plan(parseJson(supplied(body), { depth })),
    stageOptions: { kind: 'value', depth },
    staged: ([pair]) => plan(pair?.value),
  }
}

function isStaged(value: StagedPair['value']): value is StagedValue {
  return typeof value === 'object' && value !== null && 'staged' in value
}

function supplied(body: Uint8Array): Uint8Array {
  if (body.length === 0) throw new Refusal(400, 'Error: No data supplied.')
  return body
}

/** Replaces the named descendants of the path, all or none, and answers what was written. */
export function planPatch(request: WriteRequest): BodyPlan {
  const depth = pathDepth(request.path)
  return {
    kind: 'body',
    parse: (body) => {
      const members = parseUpdate(body, { depth })
      return planUpdate(
        request,
        members?.map(({ path, value }) => ({ key: path, value })),
      )
    },
    stageOptions: { kind: 'update', depth },
    // No member has an empty name: it is that of a value by itself, the word `null`.
    staged: (pairs) => planUpdate(request, pairs[0]?.key === '' ? undefined : pairs),
  }
}

function planUpdate(
  request: WriteRequest,
  members: readonly StagedPair[] | undefined,
): WritePlan | RespondPlan {
  // [unconfirmed] The official command-line tool deletes with an update of null.
  if (members === undefined) return planDelete(request)
  const { path, print, form } = request
  // [unconfirmed] An update of nothing succeeds.
  if (members.length === 0) {
    return { kind: 'respond', response: valueResponse(writtenMembers([], form), print) }
  }
  const pairs = members.map(({ key, value }) => ({
    name: joinPath(rootPath, key).slice(1),
    path: joinPath(path, key),
    value,
  }))
  return planWrite(request, pairs, ({ values }) => {
    const written = pairs.map(({ name, path: place }, index) => {
      return { name, path: place, value: values[index] }
    })
    return answerWritten(written, print !== 'silent', (snapshot) =>
      valueResponse(writtenMembers(written, form, snapshot), print),
    )
  })
}

/** Deletes what is at the path, if anything is. */
export function planDelete(request: WriteRequest): WritePlan {
  const etag = request.conditions.wantsEtag ? nullEtag : undefined
  const response = valueResponse(undefined, request.print, etag)
  return planWrite(request, [{ path: request.path, value: null }], () => ({
    kind: 'respond',
    response,
  }))
}

function planWrite(
  request: WriteRequest,
  pairs: readonly WritePair[],
  answer: (outcome: WriteAccepted) => RespondPlan | ReadPlan,
): WritePlan {
  const { path } = request
  const etag = request.conditions.ifMatch
  return {
    kind: 'write',
    write: { pairs, ...(etag === undefined ? {} : { precondition: { path, etag } }) },
    answer: (outcome) => {
      if (outcome.ok) return answer(outcome)
      if (outcome.current !== undefined) {
        return { kind: 'respond', response: changedResponse(request, outcome.current) }
      }
      if (isConditionFailure(outcome.error)) return planChanged(request)
      throw outcome.error
    },
  }
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
    run: (snapshot) => changed(request, snapshot.jsonBlocks(path, form), snapshot.etag(path)),
  }
}

function changed(
  { print }: WriteRequest,
  blocks: Iterable<Uint8Array> | undefined,
  etag: string,
): HttpResponse {
  return { ...valueResponse(blocks, print === 'pretty' ? 'pretty' : 'compact', etag), status: 412 }
}

function isConditionFailure(error: Error): boolean {
  return error instanceof TreeError && error.code === 'ERR_CONDITION_FAILED'
}
