import { applyChange } from '../change.ts'
import { MemoryTreeStore } from '../memory-store.ts'
import type { TreeNode } from '../node.ts'
import { childPath, isPriorityPath, parentPath, rootPath } from '../path.ts'
import type { Path } from '../path.ts'
import type {
  Change,
  KeyRange,
  TreeSnapshot,
  TreeStore,
  TreeView,
  TreeWrite,
  WriteOutcome,
} from '../store.ts'
import { TreeValue } from '../tree-value.ts'
import { codeOf, record, textOf } from './fixture.ts'
import { Random } from './random.ts'
import { randomWrite } from './random-write.ts'

export interface ModelOptions {
  /** Chooses the operations. The error of a failed run names it. */
  readonly seed: number
  /** Number of commits. Default: 100. */
  readonly steps?: number
}

/**
 * Does random writes on an empty store and on a `MemoryTreeStore`, and compares after each commit
 * the outcomes and, byte by byte, what both give at many paths; in the end their changes as well.
 *
 * @throws {Error} that names the seed, the step and the first difference.
 */
export async function runModel(store: TreeStore, options: ModelOptions): Promise<void> {
  const { seed, steps = 100 } = options
  const random = new Random(seed)
  await using model = new MemoryTreeStore()
  const recording = record(store)
  const modelRecording = record(model)
  for (let step = 0; step < steps; step++) {
    try {
      compareStep(store, model, random)
    } catch (cause) {
      throw new Error(`Step ${step} of seed ${seed}: ${(cause as Error).message}`, { cause })
    }
  }
  const changes = await recording.heard(modelRecording.changes.length)
  recording.stop()
  using wanted = model.snapshot()
  const replayed = TreeValue.fromNode(replay(changes, modelRecording.changes))
  same(`The changes of seed ${seed}`, replayed, wanted.get(rootPath))
}

/** The tree that changes lead to; the model lends the values that were too large for them. */
function replay(changes: readonly Change[], model: readonly Change[]): TreeNode | null {
  let tree: TreeNode | null = null
  for (const [index, change] of changes.entries()) {
    const pairs = change.pairs.map(({ path, value }, place) => {
      return { path, value: value ?? model[index]?.pairs[place]?.value }
    })
    tree = applyChange(tree, { ...change, pairs })
  }
  return tree
}

function compareStep(store: TreeStore, model: MemoryTreeStore, random: Random): void {
  const makers = Array.from({ length: 1 + random.below(3) }, () => randomWrite(model, random))
  const seen: TreeValue[] = []
  const seenByModel: TreeValue[] = []
  const writes = makers.map((make) => make(model, seenByModel))
  const outcomes = store.commit(makers.map((make) => make(store, seen)))
  for (const [index, wanted] of model.commit(writes).entries()) {
    compareOutcomes(outcomes[index], wanted)
  }
  same('Number of reads of judges', seen.length, seenByModel.length)
  for (const [index, value] of seenByModel.entries()) same('A judge saw', seen[index], value)

  using actual = store.snapshot()
  using wanted = model.snapshot()
  same('Sequence', actual.sequence, wanted.sequence)
  for (const path of pathsAround(writes, wanted, random)) comparePath(actual, wanted, path, random)
}

/** The paths of the writes and two others, all that lies above them and some of what lies below. */
function pathsAround(
  writes: readonly TreeWrite[],
  view: TreeView,
  random: Random,
): ReadonlySet<Path> {
  const written = writes.flatMap(({ pairs }) => pairs.map(({ path }) => path))
  const paths = new Set<Path>()
  for (const path of [...written, random.path(view), random.path(view)]) {
    paths.add(path)
    for (const key of [...view.keys(path)].slice(0, 3)) paths.add(childPath(path, key))
    for (let above = parentPath(path); above !== undefined; above = parentPath(above)) {
      paths.add(above)
    }
  }
  return paths
}

function compareOutcomes(actual: WriteOutcome | undefined, wanted: WriteOutcome): void {
  same('Error of the outcome', codeOf(actual), codeOf(wanted))
  if (actual?.ok !== true || !wanted.ok) return
  same('Sequence of the outcome', actual.sequence, wanted.sequence)
  for (const [index, value] of wanted.values.entries()) {
    // A store hands back no staged values.
    same('Value of the outcome', actual.values[index] ?? value, value)
  }
}

function comparePath(actual: TreeSnapshot, wanted: TreeSnapshot, path: Path, random: Random): void {
  same(`kind of ${path}`, actual.kind(path), wanted.kind(path))
  for (const form of ['plain', 'export'] as const) {
    const text = textOf(wanted.json(path, form))
    same(`${form} text of ${path}`, textOf(actual.json(path, form)), text)
    same(`${form} blocks of ${path}`, blockText(actual, path, form), text)
  }
  same(`Value of ${path}`, actual.get(path), wanted.get(path))
  same(`etag of ${path}`, actual.etag(path), wanted.etag(path))
  if (!isPriorityPath(path)) compareKeyRange(actual, wanted, path, random)
}

function compareKeyRange(actual: TreeView, wanted: TreeView, path: Path, random: Random): void {
  const range: KeyRange = {
    reverse: random.percent(50),
    ...(random.percent(30) ? { after: random.key() } : {}),
    ...(random.percent(30) ? { before: random.key() } : {}),
    ...(random.percent(30) ? { limit: random.below(5) } : {}),
  }
  const label = `keys of ${path} in ${JSON.stringify(range)}`
  same(label, [...actual.keys(path, range)].join('/'), [...wanted.keys(path, range)].join('/'))
}

function blockText(
  snapshot: TreeSnapshot,
  path: Path,
  form: 'plain' | 'export',
): string | undefined {
  const blocks = snapshot.jsonBlocks(path, form)
  if (blocks === undefined) return undefined
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  for (const block of blocks) text += decoder.decode(block, { stream: true })
  return text + decoder.decode()
}

function same(what: string, actual: unknown, wanted: unknown): void {
  const [left, right] = [actual, wanted].map((value) =>
    value instanceof TreeValue ? `${value.form}: ${value.text}` : value,
  )
  if (left !== right)
    throw new Error(`${what} is\n${String(left)}\nand should be\n${String(right)}`)
}
