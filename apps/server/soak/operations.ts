import type { Owner } from './owner.ts'
import { outcomeOf } from './client.ts'
import { pipeline } from './pipeline.ts'
import { largeValue, smallPlace, smallValue } from './random-values.ts'
import type { Random } from './random.ts'
import { textOf, valueAt, withValue } from './tree-model.ts'
import type { Json, Place } from './tree-model.ts'
import type { Traffic } from './traffic.ts'

type Operation = (owner: Owner, random: Random) => Promise<void>

/** Does one thing after the other until it is over. */
export async function work(owner: Owner, random: Random, traffic: Traffic): Promise<void> {
  await owner.check()
  while (!traffic.isOver) {
    await choose(random)(owner, random)
    traffic.operation()
  }
  await owner.check()
}

async function put(owner: Owner, random: Random): Promise<void> {
  await owner.write(owner.set(smallPlace(random), smallValue(random)))
}

async function remove(owner: Owner, random: Random): Promise<void> {
  const place = smallPlace(random)
  const change = (tree: Json): Json => withValue(tree, place, null)
  await owner.write({ method: 'DELETE', path: owner.path(place), change })
}

/** All of it or nothing; two places far apart have the same number in every moment. */
async function patch(owner: Owner, random: Random): Promise<void> {
  const mark = Number(valueAt(owner.tree, ['amark'])) + 1
  const pairs = new Map<string, Json>([
    ['amark', mark],
    ['zmark/deep/er', mark],
  ])
  for (let count = random.integer(1, 5); count > 0; count--) {
    // Of different keys, so that none lies below another.
    const value = random.chance(0.2) ? null : smallValue(random)
    pairs.set(`small/k${random.integer(0, 39)}`, value)
  }
  const change = (tree: Json): Json =>
    [...pairs].reduce((current, [path, value]) => withValue(current, path.split('/'), value), tree)
  const body = JSON.stringify(Object.fromEntries(pairs))
  const path = `${owner.path()}?print=silent`
  if (random.chance(0.3)) await owner.writeOnce({ method: 'PATCH', path, body }, change)
  else await owner.write({ method: 'PATCH', path, body, change })
}

async function get(owner: Owner, random: Random): Promise<void> {
  await owner.check(smallPlace(random))
}

async function getAll(owner: Owner): Promise<void> {
  await owner.check()
}

async function post(owner: Owner, random: Random): Promise<void> {
  const value = smallValue(random)
  await owner.writeOnce(
    { method: 'POST', path: owner.path(['list']), body: JSON.stringify(value) },
    (tree, { text }) => withValue(tree, ['list', nameIn(text)], value),
  )
  const names = Object.keys(valueAt(owner.tree, ['list']) ?? {})
  if (names.length < 40) return
  const old = names.toSorted().slice(0, 20)
  await owner.write({
    method: 'PATCH',
    path: owner.path(['list']),
    body: JSON.stringify(Object.fromEntries(old.map((name) => [name, null]))),
    change: (tree) => old.reduce((rest, name) => withValue(rest, ['list', name], null), tree),
  })
}

function nameIn(text: string): string {
  return (JSON.parse(text) as { readonly name: string }).name
}

async function increment(owner: Owner, random: Random): Promise<void> {
  const place = ['count']
  const sent = { method: 'PUT', path: owner.path(place), body: '{".sv":{"increment":1}}' } as const
  const change = (tree: Json): Json => withValue(tree, place, Number(valueAt(tree, place)) + 1)
  if (random.chance(0.6)) await owner.writeOnce(sent, change)
  else await owner.write({ ...sent, change })
}

/** Compares and writes; with an ETag of something else nothing must happen. */
async function conditional(owner: Owner, random: Random): Promise<void> {
  const place = smallPlace(random)
  const right = await owner.client.read(owner.path(place), { 'X-Firebase-ETag': 'true' })
  if (right.etag === undefined) owner.findings.fail('An ETag was asked for and not given')
  const isRight = random.chance(0.7)
  const etag = isRight ? String(right.etag) : 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='
  const headers = { 'if-match': etag }
  const before = owner.tree
  const answer = await owner.write({ ...owner.set(place, smallValue(random)), headers })
  if (answer?.status === 412) owner.findings.count('conditions that failed')
  if (answer?.status === 412 && isRight)
    owner.findings.fail(`412 for the ETag that ${place.join('/')} has`)
  if (isRight || outcomeOf(answer) === 'refused') return
  if (textOf(owner.tree) !== textOf(before))
    owner.findings.fail('Written in spite of its condition')
}

/** Some MB in one value, which goes into the store while it arrives. */
async function putLarge(owner: Owner, random: Random): Promise<void> {
  const place: Place = ['large', `l${random.integer(0, 1)}`]
  const write = owner.set(place, largeValue(random, random.integer(200_000, 3_000_000)))
  owner.findings.count('large values sent')
  if (random.chance(0.7)) await owner.write({ ...write, path: `${write.path}?print=silent` })
  else {
    const answer = await owner.write(write)
    const expected = textOf(valueAt(owner.tree, place))
    if (answer?.status === 200 && answer.text !== expected) {
      owner.findings.fail('A large write was answered with something else than it has written')
    }
  }
}

const weights: readonly (readonly [weight: number, operation: Operation])[] = [
  [22, put],
  [16, patch],
  [26, get],
  [5, getAll],
  [7, post],
  [8, increment],
  [5, remove],
  [9, conditional],
  [1, putLarge],
  [5, pipeline],
]
const total = weights.reduce((sum, [weight]) => sum + weight, 0)

function choose(random: Random): Operation {
  let left = random.integer(1, total)
  for (const [weight, operation] of weights) {
    left -= weight
    if (left <= 0) return operation
  }
  return get
}
