import { PauseCount, isPriorityPath, pathKeys, relativePath } from '@elkyn/tree'
import type { ChangePair, JsonForm, Path } from '@elkyn/tree'
import type { Steps } from '../steps.ts'
import { changeEvents } from './change-events.ts'
import type { ChangeEvent } from './change-events.ts'
import type { Written } from './stream-target.ts'

/** Keys or pairs that are looked at between two pauses. */
const keysAtOnce = 4096

/** Text of children up to which several changes are told together: of larger ones, what was written to them may be far less. */
const maxTogether = 16 * 1024

/** The result of a query at two moments, and what happened between them. */
export interface WindowStep {
  /** The place whose children are asked for. */
  readonly path: Path
  readonly form: JsonForm
  /** Keys of the children that were in the result. */
  readonly before: ReadonlySet<string>
  /** Keys of those that are in it now. */
  readonly after: ReadonlySet<string>
  /** All changes between the two moments, in order. */
  readonly changes: readonly Written[]
  /** The places in the history of the two moments. */
  readonly since: string
  readonly id: string
  /** The value of a child now, as JSON text; `undefined` where it has more bytes than there is room for. */
  readonly textOf: (key: string, room: number) => string | undefined
  /** With more text than this, all of the result is told anew: that may come in pieces. */
  readonly maxLength: number
}

/**
 * What to tell somebody who knows the result of a query as it was, so that it becomes what it is now:
 * `undefined` where all of it has to be told anew. A change of children that were in the result and are
 * still there is told as it came. Children that came and went are told together in one event. So are several changes of others where
 * those are small: between two of them a child may have been elsewhere, and who applies one after the other has for a moment
 * what was never a result.
 */
export function* windowEvents(step: WindowStep): Steps<readonly ChangeEvent[] | undefined> {
  const { before, after, changes } = step
  const touched = new Set<string>()
  /** Changes of any child. */
  let bearings = 0
  let isCarried = true
  const pauses = new PauseCount(keysAtOnce)
  for (const { pairs } of changes) {
    let bears = false
    for (const pair of pairs) {
      if (pauses.next()) yield
      const bearing = bearingOf(pair, step)
      if (bearing === 'all') return undefined
      if (bearing === undefined) continue
      bears = true
      if (!before.has(bearing) || !after.has(bearing)) continue
      touched.add(bearing)
      if (pair.value === undefined) isCarried = false
    }
    if (bears) bearings++
  }
  const left = yield* keysWithout(before, after)
  const entered = yield* keysWithout(after, before)
  const isSame = left.length === 0 && entered.length === 0
  if (isSame && touched.size === 0) return []
  const shown = [...entered, ...touched]
  if (!isSame || !isCarried) return movedEvent(step, left, shown, step.maxLength)
  const moved = bearings === 1 ? undefined : movedEvent(step, [], shown, maxTogether)
  return moved ?? (yield* toldEvents(step)) ?? movedEvent(step, [], shown, step.maxLength)
}

/** The keys of one set that are not in another one. */
function* keysWithout(
  keys: ReadonlySet<string>,
  others: ReadonlySet<string>,
): Steps<readonly string[]> {
  const found: string[] = []
  const pauses = new PauseCount(keysAtOnce)
  for (const key of keys) {
    if (!others.has(key)) found.push(key)
    if (pauses.next()) yield
  }
  return found
}

/** The key of the child that a pair concerns; `all` where that is every one of them. */
function bearingOf({ path: changed }: ChangePair, { path, form }: WindowStep): string | undefined {
  const below = relativePath(path, changed)
  if (below === undefined) return relativePath(changed, path) === undefined ? undefined : 'all'
  const [key] = pathKeys(below)
  // A result does not show the priority of the node that was asked.
  if (key === '.priority' || (form === 'plain' && isPriorityPath(changed))) return undefined
  // No key holds a dot, so that no child is mistaken for this.
  return key ?? 'all'
}

/** The changes as they came, less what concerns children that are not in the result. */
function* toldEvents({
  path,
  form,
  changes,
  after,
  since,
  id,
  maxLength,
}: WindowStep): Steps<readonly ChangeEvent[] | undefined> {
  const events: ChangeEvent[] = []
  let length = 0
  const pauses = new PauseCount(keysAtOnce)
  for (const change of changes) {
    const pairs: ChangePair[] = []
    for (const pair of change.pairs) {
      if (pauses.next()) yield
      const below = relativePath(path, pair.path)
      if (below !== undefined && after.has(pathKeys(below)[0]!)) pairs.push(pair)
    }
    const told = changeEvents({ id, update: change.update, pairs }, path, form)
    if (told === undefined) return undefined
    for (const event of told) {
      length += event.json.length
      if (length > maxLength) return undefined
      events.push(event)
    }
  }
  // Who was cut off between them gets all of it anew.
  return events.map(({ name, json }, index) => {
    return { name, json, id: index === events.length - 1 ? id : since }
  })
}

function movedEvent(
  { id, textOf }: WindowStep,
  left: readonly string[],
  shown: readonly string[],
  maxLength: number,
): readonly [ChangeEvent] | undefined {
  const members: (readonly [key: string, text: string])[] = left.map((key) => [key, 'null'])
  let room = maxLength
  for (const key of shown) {
    const text = textOf(key, room)
    if (text === undefined) return undefined
    room -= text.length
    members.push([key, text])
  }
  const [sole] = members
  if (members.length === 1 && sole !== undefined) {
    const json = `{"path":${JSON.stringify(`/${sole[0]}`)},"data":${sole[1]}}`
    return [{ name: 'put', json, id }]
  }
  const texts = members.map(([key, text]) => `${JSON.stringify(key)}:${text}`)
  return [{ name: 'patch', json: `{"path":"/","data":{${texts.join(',')}}}`, id }]
}
