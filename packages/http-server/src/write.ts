import {
  isPriorityPath,
  isStaged,
  joinPath,
  nullEtag,
  parseJson,
  parseUpdate,
  pathDepth,
  pathKeys,
  pushId,
  rootPath,
} from '@elkyn/tree'
import type { Path, StagedPair, TreeSnapshot } from '@elkyn/tree'
import { inDatabase } from './namespaces.ts'
import { invalidPriority, planWrite } from './plan-write.ts'
import type { WriteRequest } from './plan-write.ts'
import type { PlanSettings } from './plan-settings.ts'
import type { BodyPlan, RespondPlan, WritePlan } from './plan.ts'
import { Refusal } from './refusal.ts'
import { valueResponse } from './value-response.ts'
import { answerWritten, writtenBlocks, writtenEtag, writtenMembers } from './written.ts'
import type { Written } from './written.ts'

/** Replaces what is at the path, and answers what was written. */
export function planPut(request: WriteRequest, settings: PlanSettings): BodyPlan {
  return planValue(request, settings, undefined, request.print !== 'silent', (written, snapshot) =>
    writtenBlocks(written, request.form, snapshot),
  )
}

/** Adds a child under a new key, and answers the key. */
export function planPost(request: WriteRequest, settings: PlanSettings): BodyPlan {
  return planValue(request, settings, pushId(), false, ({ path }) => [
    Buffer.from(`{"name":${JSON.stringify(pathKeys(path).at(-1))}}`),
  ])
}

type Show = (written: Written, snapshot?: TreeSnapshot) => Iterable<Uint8Array> | undefined

/** @param key of a new child, unless the value at the path itself is written. */
function planValue(
  request: WriteRequest,
  settings: PlanSettings,
  key: string | undefined,
  showsValue: boolean,
  show: Show,
): BodyPlan {
  const placeOf = (child: string | undefined): Path =>
    child === undefined ? request.path : placeBelow(request, child)
  const path = placeOf(key)
  const depth = depthOf(request, settings) + (key === undefined ? 0 : 1)
  const { wantsEtag } = request.conditions
  const plan = (value: StagedPair['value'] = null, digest?: string): WritePlan => {
    if (isPriorityPath(path) && isStaged(value)) {
      throw invalidPriority()
    }
    const facts = { digest, memo: key }
    return planWrite(request, facts, [{ path, value }], ({ values, repeated }) => {
      // One that comes again stands where it was put at first.
      const place = repeated === undefined ? path : placeOf(repeated.memo)
      // Whether there was a node to carry a priority, only a look can tell.
      const written = { path: place, value: isPriorityPath(place) ? undefined : values[0] }
      return answerWritten([written], showsValue || wantsEtag, (snapshot) => {
        const etag = wantsEtag ? writtenEtag(written, snapshot) : undefined
        return valueResponse(show(written, snapshot), request.print, etag)
      })
    })
  }
  return {
    kind: 'body',
    isDigested: request.idempotencyKey !== undefined,
    maxBytes: request.writeMaxBytes,
    parse: (body, digest) => plan(parseJson(supplied(body), { depth }), digest),
    stageOptions: { kind: 'value', depth, path },
    staged: ([pair], digest) => plan(pair?.value, digest),
  }
}

/** Number of keys in the path of a request, for the limit on depth, which each database has for itself. */
function depthOf({ shownPath }: WriteRequest, { allDatabases }: PlanSettings): number {
  return pathDepth(shownPath) - (allDatabases ? 1 : 0)
}

/**
 * A place below that of a request. What limits a path limits it in its database.
 * @throws {TreeError} as `joinPath`.
 */
function placeBelow({ database, shownPath }: WriteRequest, relative: string): Path {
  return inDatabase(database, joinPath(shownPath, relative))
}

function supplied(body: Uint8Array): Uint8Array {
  if (body.length === 0) throw new Refusal(400, 'Error: No data supplied.')
  return body
}

/** Replaces the named descendants of the path, all or none, and answers what was written. */
export function planPatch(request: WriteRequest, settings: PlanSettings): BodyPlan {
  const depth = depthOf(request, settings)
  return {
    kind: 'body',
    isDigested: request.idempotencyKey !== undefined,
    maxBytes: request.writeMaxBytes,
    parse: (body, digest) => {
      const members = parseUpdate(body, { depth })
      return planUpdate(
        request,
        members?.map(({ path, value }) => ({ key: path, value })),
        digest,
      )
    },
    stageOptions: { kind: 'update', depth, path: request.path },
    // No member has an empty name: it is that of a value by itself, the word `null`.
    staged: (pairs, digest) =>
      planUpdate(request, pairs[0]?.key === '' ? undefined : pairs, digest),
  }
}

/** Most units of all paths of an update: each member is held, logged and told with the whole of its own. */
const maxUpdatePathsLength = 32 * 1024 * 1024

function planUpdate(
  request: WriteRequest,
  members: readonly StagedPair[] | undefined,
  digest: string | undefined,
): WritePlan | RespondPlan {
  // [unconfirmed] The official command-line tool deletes with an update of null.
  if (members === undefined) return planDeletion(request, digest)
  const { print, form } = request
  // [unconfirmed] An update of nothing succeeds. One with a number has to be counted.
  if (members.length === 0 && request.idempotencyKey === undefined) {
    return { kind: 'respond', response: valueResponse(writtenMembers([], form), print) }
  }
  if (members.length * request.path.length > maxUpdatePathsLength) {
    throw new Refusal(413, 'Too many members for an update of so long a path')
  }
  const pairs = members.map(({ key, value }) => ({
    name: joinPath(rootPath, key).slice(1),
    path: placeBelow(request, key),
    value,
  }))
  return planWrite(request, { digest, update: request.path }, pairs, ({ values }) => {
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
  return planDeletion(request, undefined)
}

function planDeletion(request: WriteRequest, digest: string | undefined): WritePlan {
  const etag = request.conditions.wantsEtag ? nullEtag : undefined
  const response = valueResponse(undefined, request.print, etag)
  return planWrite(request, { digest }, [{ path: request.path, value: null }], () => ({
    kind: 'respond',
    response,
  }))
}
