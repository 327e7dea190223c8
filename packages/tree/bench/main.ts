// Run with `pnpm bench` in this folder. Each case works on a thousand different records, so that
// nothing can be reused, and its answer is checked before it is timed and used afterwards. Cases are
// warmed up, and the best of ten rounds counts: what disturbs a round only makes it slower.
import assert from 'node:assert/strict'
import process from 'node:process'
import {
  JsonTokenizer,
  TreeBuilder,
  TreeValue,
  locate,
  parseJson,
  parsePath,
  prettyPrint,
  toCanonical,
} from '../src/index.ts'
import type { JsonHandler, TreeNode } from '../src/index.ts'

const count = 1000
const texts = Array.from({ length: count }, (_, index) => JSON.stringify(record(index)))
const bytes = texts.map((text) => new TextEncoder().encode(text))
const reversed = texts.map((text) => JSON.stringify(reverseMembers(text)))
const nodes = texts.map((text) => TreeValue.fromCanonical(text, 'plain').node as TreeNode)
const lists = texts.map((_, index) => {
  return `{${Array.from({ length: 20 }, (__, place) => `"r${place}":${texts[(index + place) % count]}`).join()}}`
})
const list = new TextEncoder().encode(`[${Array.from({ length: 50 }, () => texts.join()).join()}]`)

/** A record of ten fields and 180 bytes, with its members in key order. */
function record(index: number): object {
  return {
    active: true,
    age: 30 + (index % 50),
    city: `Town ${index}`,
    created: 1_700_000_000_000 + index,
    email: `u${index}@example.org`,
    id: `u${index}`,
    name: `Ada Lovelace ${index}`,
    role: 'admin',
    score: 0.5 + index,
    tags: { a: true, b: true },
  }
}

function reverseMembers(text: string): object {
  return Object.fromEntries(Object.entries(JSON.parse(text) as object).toReversed())
}

function at<Item>(items: readonly Item[], index: number): Item {
  return items[index] as Item
}

let sum = 0

/** Nanoseconds that `run` takes for one of a thousand indices, in the best round. */
function time(run: (index: number) => number): number {
  let best = Infinity
  for (let round = -20; round < 10; round++) {
    const start = process.hrtime.bigint()
    for (let repeat = 0; repeat < 10; repeat++) {
      for (let index = 0; index < count; index++) sum += run(index)
    }
    const taken = Number(process.hrtime.bigint() - start) / (10 * count)
    if (round >= 0) best = Math.min(best, taken)
  }
  return best
}

/** Megabytes a second at which `run` goes through the list, in the best round. */
function speed(run: () => number): number {
  let best = Infinity
  for (let round = -3; round < 10; round++) {
    const start = process.hrtime.bigint()
    sum += run()
    const taken = Number(process.hrtime.bigint() - start)
    if (round >= 0) best = Math.min(best, taken)
  }
  return (list.length * 1000) / best
}

function tokenize(handler: JsonHandler): void {
  const tokenizer = new JsonTokenizer(handler)
  for (let start = 0; start < list.length; start += 65_536) {
    tokenizer.write(list.subarray(start, start + 65_536))
  }
  tokenizer.end()
}

function countTokens(): number {
  let tokens = 0
  const add = (): void => void tokens++
  const structure = { startObject: add, endObject: add, startArray: add, endArray: add }
  tokenize({ ...structure, key: add, string: add, number: add, word: add })
  return tokens
}

function buildAndPrint(): number {
  let length = 0
  const put = (_: number, __: string, node: TreeNode): void => {
    length += toCanonical(node, 'plain').length
  }
  const rest = {
    open: () => 0,
    delete: () => undefined,
    close: () => true,
    discard: () => undefined,
  }
  tokenize(new TreeBuilder({ sink: { ...rest, put, serverValue: () => undefined } }))
  return length
}

function prettyLength(): number {
  let length = 0
  for (const block of prettyPrint([list])) length += block.length
  return length
}

function locatedLength(text: string, keys: readonly string[]): number {
  const span = locate(text, keys)
  return span === undefined ? 0 : span.end - span.start
}

assert.equal(parseJson(at(bytes, 7)).text, at(texts, 7))
assert.equal(parseJson(at(reversed, 7)).text, at(texts, 7))
assert.equal(toCanonical(at(nodes, 7), 'plain'), at(texts, 7))
assert.equal(locatedLength(at(texts, 7), ['score']), 3)
assert.equal(locatedLength(at(lists, 7), ['r15', 'score']), 4)
assert.equal(countTokens(), 2 + 50 * count * 27)
assert.equal(buildAndPrint() + 50 * count + 1, list.length)

const native = time((index) => JSON.stringify(JSON.parse(at(texts, index))).length)
const rows: [string, string, string][] = []
const add = (name: string, taken: number): void => {
  rows.push([name, `${Math.round(taken)} ns`, (taken / native).toFixed(2)])
}
add('`JSON.stringify(JSON.parse(text))`', native)
add(
  '`parseJson(text)`',
  time((index) => parseJson(at(texts, index)).text.length),
)
add(
  '`parseJson(bytes)`',
  time((index) => parseJson(at(bytes, index)).text.length),
)
add(
  '`parseJson(text)`, members in another order',
  time((index) => parseJson(at(reversed, index)).text.length),
)
add(
  'text to node',
  time((index) => (TreeValue.fromCanonical(at(texts, index), 'plain').node === null ? 0 : 1)),
)
add(
  'node to text',
  time((index) => toCanonical(at(nodes, index), 'plain').length),
)
add(
  '`locate`, a field of the record',
  time((index) => locatedLength(at(texts, index), ['score'])),
)
add(
  '`locate`, the same in the 16th of 20 records',
  time((index) => locatedLength(at(lists, index), ['r15', 'score'])),
)
add(
  '`parsePath` of two keys',
  time((index) => parsePath(`/users/u${index}`).length),
)

console.log(`Node.js ${process.version}, ${process.platform} ${process.arch}\n`)
console.log('| work, on a record of 10 fields | time | to the first |\n| --- | --: | --: |')
for (const row of rows) console.log(`| ${row.join(' | ')} |`)
console.log(
  `\n| work, on ${(list.length / 1e6).toFixed(1)} MB of such records | MB/s |\n| --- | --: |`,
)
console.log(`| \`JsonTokenizer\` | ${Math.round(speed(countTokens))} |`)
console.log(
  `| \`JsonTokenizer\`, \`TreeBuilder\` with a sink, \`toCanonical\` | ${Math.round(speed(buildAndPrint))} |`,
)
console.log(`| \`prettyPrint\` | ${Math.round(speed(prettyLength))} |`)
assert.ok(sum > 0)
