import { etagOf, quote } from '@elkyn/tree'
import type { JsonForm, Path, TreeSnapshot, TreeValue } from '@elkyn/tree'
import type { HttpResponse } from './message.ts'
import type { ReadPlan, RespondPlan } from './plan.ts'
import { blockLength, nullBlocks } from './response.ts'

/** What a write put at a path. */
export interface Written {
  readonly path: Path
  /** `undefined` for one so large that it has to be read again; somebody may have changed it then. */
  readonly value: TreeValue | undefined
}

/**
 * An answer about what was written: at once where that is known or not shown, else from a snapshot.
 */
export function answerWritten(
  written: readonly Written[],
  isShown: boolean,
  show: (snapshot?: TreeSnapshot) => HttpResponse,
): RespondPlan | ReadPlan {
  return !isShown || written.every(({ value }) => value !== undefined)
    ? { kind: 'respond', response: show() }
    : { kind: 'read', run: show }
}

/** The JSON of what was written; `undefined` for nothing. */
export function writtenBlocks(
  { path, value }: Written,
  form: JsonForm,
  snapshot?: TreeSnapshot,
): Iterable<Uint8Array> | undefined {
  return value === undefined ? snapshot?.jsonBlocks(path, form) : [Buffer.from(value.toText(form))]
}

/** Its ETag. */
export function writtenEtag({ path, value }: Written, snapshot?: TreeSnapshot): string | undefined {
  return value === undefined ? snapshot?.etag(path) : etagOf(value)
}

/** The JSON of an object with what was written under names. */
export function* writtenMembers(
  members: readonly (Written & { readonly name: string })[],
  form: JsonForm,
  snapshot?: TreeSnapshot,
): Generator<Uint8Array> {
  let text = '{'
  let separator = ''
  for (const member of members) {
    text += `${separator}${quote(member.name)}:`
    separator = ','
    if (member.value !== undefined) text += member.value.toText(form)
    if (member.value !== undefined && text.length < blockLength) continue
    yield Buffer.from(text)
    text = ''
    if (member.value === undefined) yield* writtenBlocks(member, form, snapshot) ?? nullBlocks
  }
  yield Buffer.from(`${text}}`)
}
