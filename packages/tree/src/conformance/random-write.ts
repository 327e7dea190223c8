import { toCanonical } from '../canonical.ts'
import { ServerValue } from '../node.ts'
import { childPath, isPriorityPath, pathsConflict } from '../path.ts'
import type { Path } from '../path.ts'
import type { Judge, TreeSnapshot, TreeStore, TreeWrite, WriteValue } from '../store.ts'
import { TreeValue } from '../tree-value.ts'
import { stage } from './fixture.ts'
import type { Random } from './random.ts'

/**
 * Makes a write for one store or another, since what is staged belongs to one of them. What the
 * judge of the write reads is added to `seen`.
 */
export type WriteMaker = (store: TreeStore, seen: TreeValue[]) => TreeWrite

/** A random write, aimed at what the model holds. */
export function randomWrite(model: TreeStore, random: Random): WriteMaker {
  using view = model.snapshot()
  const pairs = randomPaths(view, random).map((path) => ({ path, make: randomValue(path, random) }))
  const precondition = random.percent(10) ? randomCondition(view, random) : undefined
  const judged = random.percent(15)
    ? [random.path(view), random.path(view), ...pairs.map(({ path }) => path)]
    : undefined
  const verdict = random.percent(30) ? new Error('no') : undefined
  return (store, seen) => ({
    pairs: pairs.map(({ path, make }) => ({ path, value: make(store) })),
    ...(precondition && { precondition }),
    ...(judged && { judge: readingJudge(judged, verdict, seen) }),
  })
}

function randomPaths(view: TreeSnapshot, random: Random): Path[] {
  const paths: Path[] = []
  for (let left = random.percent(70) ? 1 : 4; left > 0; left--) {
    const node = random.path(view)
    const path = random.percent(12) ? childPath(node, '.priority') : node
    // Some conflicts are kept, to be refused.
    if (random.percent(2) || !paths.some((other) => pathsConflict(path, other))) paths.push(path)
  }
  return paths
}

function randomValue(path: Path, random: Random): (store: TreeStore) => WriteValue {
  if (random.percent(20)) return () => null
  if (random.percent(8)) {
    const delta = random.pick([1, -1, 0.5, 0])
    return () => new ServerValue(delta)
  }
  if (isPriorityPath(path)) {
    const priority = random.percent(95) ? random.priority() : true
    return () => priority
  }
  const node = random.node()
  if (random.percent(15)) return stagedValue(toCanonical(node, 'export'), random)
  if (random.percent(15)) return () => TreeValue.fromNode(node)
  if (random.percent(10)) {
    return () => (current) => (current.node instanceof Object ? node : `was ${current.text}`)
  }
  return () => node
}

function stagedValue(json: string, random: Random): (store: TreeStore) => WriteValue {
  const chunkBytes = 1 + random.below(100)
  return (store) => stage(store, ` ${json} `, { chunkBytes })[0]?.value ?? null
}

function randomCondition(view: TreeSnapshot, random: Random): TreeWrite['precondition'] {
  const path = random.path(view)
  return { path, etag: random.percent(80) ? view.etag(path) : 'null_etag' }
}

function readingJudge(
  paths: readonly Path[],
  verdict: Error | undefined,
  seen: TreeValue[],
): Judge {
  return (before, after) => {
    for (const path of paths) {
      for (const view of [before, after]) {
        seen.push(view.get(path), TreeValue.fromNode(view.kind(path)))
        seen.push(TreeValue.fromNode([...view.keys(path)].join('/')))
      }
    }
    return verdict
  }
}
