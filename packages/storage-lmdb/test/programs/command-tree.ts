/**
 * Opens a tree with the options that are its argument, as JSON, and calls its methods: one JSON array
 * a line, with the name first. Prints what each returned, or the code of its error.
 */
import { createInterface } from 'node:readline'
import { parsePath } from '@elkyn/tree'
import type { Stager } from '@elkyn/tree'
import { openTree } from '../../src/index.ts'
import type { OpenTreeOptions, Tree } from '../../src/index.ts'

const options = JSON.parse(process.argv[2] ?? '') as OpenTreeOptions

/** What was staged last. */
let begun: Stager | undefined

/** Stages so many megabytes of an array and leaves it open. */
function begin(tree: Tree, megabytes: number): Stager {
  begun = tree.store.stage()
  begun.write(Buffer.from('[0'))
  goOn(megabytes)
  return begun
}

/** So many megabytes more. */
function goOn(megabytes: number): void {
  const item = Buffer.from(`,"${'x'.repeat(1000)}"`)
  for (let index = 0; index < megabytes * 1000; index++) begun?.write(item)
}

/** Stages so many megabytes and writes them. */
function fill(tree: Tree, path: string, megabytes: number): void {
  const stager = begin(tree, megabytes)
  stager.write(Buffer.from(']'))
  const [outcome] = tree.store.commit(
    stager.end().map(({ value }) => ({ pairs: [{ path: parsePath(path), value }] })),
  )
  if (outcome?.ok === false) throw outcome.error
}

/** Writes so many records, numbered in an order that is not theirs. */
function fillRecords(tree: Tree, path: string, count: number): void {
  const stager = tree.store.stage({ path: parsePath(path) })
  const records = Array.from(
    { length: count },
    (_, index) => `"r${index}":{"n":${(index * 7919) % count}}`,
  )
  stager.write(Buffer.from(`{${records.join()}}`))
  const [outcome] = tree.store.commit(
    stager.end().map(({ value }) => ({ pairs: [{ path: parsePath(path), value }] })),
  )
  if (outcome?.ok === false) throw outcome.error
}

/** Two writes that share a commit, and what each came to. */
async function setTogether(tree: Tree, ...names: string[]): Promise<string[]> {
  const writes = names.map(async (name) => tree.set(`/${name}`, name))
  return (await Promise.allSettled(writes)).map((write) =>
    write.status === 'fulfilled' ? 'ok' : codeOf(write.reason),
  )
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

async function run(tree: Tree, [name, ...args]: readonly [string, ...unknown[]]): Promise<unknown> {
  try {
    if (name === 'begin') begin(tree, Number(args[0]))
    else if (name === 'goOn') goOn(Number(args[0]))
    else if (name === 'fill') fill(tree, ...(args as [string, number]))
    else if (name === 'fillRecords') fillRecords(tree, ...(args as [string, number]))
    else if (name === 'setTogether') return await setTogether(tree, ...(args as string[]))
    else {
      const method = tree[name as keyof Tree] as (...rest: unknown[]) => unknown
      return await method.call(tree, ...args)
    }
    return null
  } catch (error) {
    return codeOf(error)
  }
}

const tree = await openTree(options).catch((error: unknown) => {
  console.log(JSON.stringify(codeOf(error)))
  process.exit(1)
})
console.log('"open"')
for await (const line of createInterface(process.stdin)) {
  const result = await run(tree, JSON.parse(line) as [string, ...unknown[]])
  console.log(JSON.stringify(result ?? null))
}
await tree.close().catch((error: unknown) => {
  console.log(JSON.stringify(codeOf(error)))
})
