import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { nodeBytes } from './node-bytes.ts'
import { RankedLeaf, ServerValue } from './node.ts'
import { JsonTokenizer } from './tokenizer.ts'
import { TreeBuilder } from './tree-builder.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const x = 'x'.repeat(100)

/** Members of an object that holds many such, by their numbers. */
const forms: Readonly<Record<string, (index: number) => string>> = {
  records: (index) =>
    `{"active":true,"email":"user${index}@example.com","name":"Somebody ${index}","text":"${x}"}`,
  'wide records': (index) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`f${at}`, index]))),
  'containers with one member': () => '{"b":1}',
  'arrays with one item': () => '[1]',
  'longer arrays': () => '[1,2,3,4,5]',
  points: (index) => `{"lat":${index}.5,"lng":${index}.25}`,
  numbers: (index) => `${index}`,
  fractions: (index) => `${index}.25`,
  words: () => 'true',
  'short texts': (index) => `"t${index}"`,
  'long texts': (index) => `"${index}${x.repeat(50)}"`,
  'texts of wide units': (index) => `"${index}${'\u0436'.repeat(1000)}"`,
  'leaves with priorities': (index) => `{".value":"v${index}",".priority":${index}}`,
  'branches with priorities': (index) => `{"a":1,".priority":"p${index}"}`,
  'deep containers': () => `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`,
  'long keys': (index) => `{"${x}${index}":1}`,
  timestamps: () => '{".sv":"timestamp"}',
  increments: (index) => `{".sv":{"increment":${index}.5}}`,
}

/** A builder that was given all but the end of an object, and holds all of it. */
function fill(form: (index: number) => string): TreeBuilder {
  const unused = (): never => {
    throw new Error('Something went to the sink')
  }
  const sink = {
    open: unused,
    put: unused,
    delete: unused,
    serverValue: unused,
    close: unused,
    discard: unused,
  }
  const builder = new TreeBuilder({ sink, maxPendingBytes: Infinity })
  const tokenizer = new JsonTokenizer(builder)
  tokenizer.write('{')
  for (let index = 0, length = 0; length < 200_000; index++) {
    const member = `${index === 0 ? '' : ','}"k${index}":${form(index)}`
    // As it comes from a socket, so that all texts are cut from others.
    tokenizer.write(Buffer.from(member))
    length += member.length
  }
  tokenizer.write('}')
  return builder
}

/** So many that what the engine itself keeps or drops meanwhile, hundreds of kB at times, does not matter. */
function fillMany(form: (index: number) => string): TreeBuilder[] {
  const builders: TreeBuilder[] = []
  for (let bytes = 0; bytes < 8_000_000; bytes += builders.at(-1)!.heldBytes) {
    builders.push(fill(form))
  }
  return builders
}

function heapBytes(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test.each(Object.keys(forms))('what TreeBuilder counts is about what is held: %s', (name) => {
  const form = forms[name]!
  // What the engine makes of the code itself does not count.
  fill(form)
  const before = heapBytes()
  const builders = fillMany(form)
  const counted = builders.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
  const ratio = counted / (heapBytes() - before)
  expect(ratio).toBeGreaterThan(0.75)
  expect(ratio).toBeLessThan(1.5)
})

test('nodeBytes() counts the parts of a leaf', () => {
  expect([null, true, 1, -1].map(nodeBytes)).toEqual([0, 0, 0, 0])
  expect(nodeBytes(0.5)).toBe(nodeBytes(2 ** 31))
  const long = 'x'.repeat(1000)
  expect(nodeBytes(`${long}\u0436`) - nodeBytes(`${long}y`)).toBe(1001)
  expect(nodeBytes(new RankedLeaf(long, long)) - nodeBytes(new RankedLeaf(1, long))).toBe(
    nodeBytes(long),
  )
  expect(nodeBytes(new ServerValue(0.5))).toBeGreaterThan(nodeBytes(new ServerValue()))
})
