import { setTimeout } from 'node:timers/promises'
import { outcomeOf } from './client.ts'
import type { Change, Owner } from './owner.ts'
import { smallPlace, smallValue } from './random-values.ts'
import { RawConnection } from './raw-connection.ts'
import type { Random } from './random.ts'
import { textOf, valueAt } from './tree-model.ts'
import type { Json, Place } from './tree-model.ts'

type Step =
  | { readonly kind: 'read'; readonly place: Place }
  | { readonly kind: 'write'; readonly change: Change }

/** Sends several requests before the first is answered. Each sees what those before it have written. */
export async function pipeline(owner: Owner, random: Random): Promise<void> {
  const connection = await RawConnection.open(owner.client.url).catch(() => undefined)
  if (connection === undefined) {
    await setTimeout(20)
    return
  }
  using open = connection
  const steps = Array.from({ length: random.integer(2, 8) }, () => send(owner, random, open))
  owner.findings.count('requests in pipelines', steps.length)
  // More than one where it is not known what was carried out.
  let trees: readonly Json[] = [owner.tree]
  try {
    while (steps.length > 0) {
      const { status, body } = await open.receive()
      trees = after(owner, steps.shift() as Step, trees, status, body.toString())
    }
  } catch {
    owner.findings.count('connections lost')
    // What comes later on a connection is carried out later: of the rest, the first few are.
    const reached = [...trees]
    for (const step of steps) {
      if (step.kind === 'write') trees = trees.map(step.change)
      reached.push(...trees)
    }
    trees = reached
  }
  if (trees.length > 1) await owner.resolve(trees)
  else owner.tree = trees[0] ?? null
}

function send(owner: Owner, random: Random, connection: RawConnection): Step {
  const place = smallPlace(random)
  if (random.chance(0.4)) {
    connection.send('GET', owner.path(place))
    return { kind: 'read', place }
  }
  const { method, path, body, change } = owner.set(place, smallValue(random))
  connection.send(method, path, body)
  return { kind: 'write', change }
}

/** The trees that are still possible when a step was answered. */
function after(
  { findings }: Owner,
  step: Step,
  trees: readonly Json[],
  status: number,
  text: string,
): readonly Json[] {
  if (step.kind === 'read') {
    if (status !== 200) return trees
    const possible = trees.filter((tree) => textOf(valueAt(tree, step.place)) === text)
    if (possible.length > 0) return possible
    findings.fail(`A read in a pipeline gave ${text.slice(0, 100)}, not what was written before`)
    return trees
  }
  const changed = trees.map(step.change)
  const outcome = outcomeOf({ status, text, etag: undefined })
  if (outcome === 'unknown') return [...trees, ...changed]
  if (outcome === 'applied') {
    findings.count('writes carried out')
    return changed
  }
  if (status < 500) findings.fail(`A write in a pipeline was answered ${status} ${text}`)
  return trees
}
