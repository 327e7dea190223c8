import { setImmediate } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { fromJson, parsePath } from '@elkyn/tree'
import type { Path, TreeSnapshot } from '@elkyn/tree'
import { openTree } from '../../src/index.ts'
import { arriveAndWait } from './barrier.ts'
import { KEYS, valueOf } from './churn.ts'
import type { ChurnData } from './churn.ts'

const { options, words, barrier, writers } = workerData as ChurnData
const tree = await openTree(options)
const decoder = new TextDecoder('utf-8', { fatal: true })
const seen = new Int32Array(writers)
let reads = 0

function textAt(snapshot: TreeSnapshot, path: Path): string | undefined {
  const bytes = snapshot.json(path)
  return bytes && decoder.decode(bytes)
}

function check(isRight: boolean, what: string, details: unknown): void {
  if (!isRight) throw new Error(`${what}: ${JSON.stringify(details)?.slice(0, 500)}`)
}

/** Everything in one snapshot is of one version, which is not older than what was answered before. */
function readPlace(writer: number, round: number): void {
  const answered = Atomics.load(words, 1 + writer)
  using snapshot = tree.store.snapshot()
  reads++
  const key = round % KEYS
  const leaf = textAt(snapshot, parsePath(`/churn/${writer}/deep/er/k${key}/v`))
  const item = textAt(snapshot, parsePath(`/churn/${writer}/list/${key}`))
  const text = textAt(snapshot, parsePath(`/churn/${writer}`))
  if (text === undefined) {
    check(leaf === undefined && item === undefined, 'Part of nothing', { leaf, item })
    return
  }
  const { v: version } = JSON.parse(text) as { v: number }
  const value = valueOf(version) as Value
  check(text === canonical(value), 'Not of one version', text)
  const isNew = version >= answered && version >= seen[writer]!
  check(isNew, 'Older than what was answered', { version, answered, seen: seen[writer] })
  seen[writer] = version
  check(leaf === (value.deep && String(version)), 'Leaf of another version', { leaf, version })
  check(item === (value.list && canonical(value.list[key])), 'Item of another version', item)
}

interface Value {
  readonly deep?: object
  readonly list?: readonly unknown[]
}

function canonical(value: unknown): string {
  return fromJson(value).text
}

try {
  arriveAndWait(barrier)
  let round = 0
  // At least once, however late the thread has its turn.
  do {
    readPlace(round % writers, round)
    // Sometimes the snapshot is given up, sometimes not.
    if (round % 16 === 0) await setImmediate()
    round++
  } while (Atomics.load(words, 0) === 0)
} finally {
  await tree.close()
}
parentPort!.postMessage(reads)
