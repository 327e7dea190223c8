import { childPath, joinPath, parseJson, rootPath } from '@elkyn/tree'
import type { Path, TreeSnapshot, TreeStore, TreeValue, TreeWrite } from '@elkyn/tree'
import fc from 'fast-check'
import { jsonText, keyRange, longPath, path } from './arbitraries.ts'

/** What a judge saw, to be compared between two stores. */
export type Seen = string[]

/** A write as data, from which each store gets one of its own. */
export interface ModelWrite {
  /** @param before The tree before the commit, for the etag of a condition. */
  make(store: TreeStore, before: TreeSnapshot, seen: Seen): TreeWrite
  /** What the write touches. */
  readonly paths: readonly Path[]
  /** How a failed run shows it. */
  toString(): string
}

const priorityText = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map(String),
  fc.constantFrom(
    '"p"',
    '""',
    'null',
    'true',
    '{".sv":{"increment":1}}',
    '1e-7',
    JSON.stringify('é'.repeat(50)),
  ),
)

const priorityPath = path.map((node) => childPath(node, '.priority'))

const set = fc.tuple(path, jsonText).map(([place, json]) => plain([[place, json]]))
const deletion = path.map((place) => plain([[place, 'null']]))
const priority = fc.tuple(priorityPath, priorityText).map(([place, json]) => plain([[place, json]]))
const update = fc
  .tuple(path, fc.array(fc.tuple(fc.oneof(path, priorityPath), fc.oneof(jsonText, priorityText))))
  .map(([parent, members]) =>
    plain(members.map(([below, json]) => [joinPath(parent, below), json] as const)),
  )

const staged = fc
  .tuple(path, jsonText, fc.integer({ min: 1, max: 40 }), fc.option(path, { nil: undefined }))
  .map(([place, json, chunkBytes, other]): ModelWrite => {
    return {
      paths: [place],
      toString: () => `stage ${place} ${json} by ${chunkBytes}, told ${other ?? place}`,
      make(store) {
        // What it is told of the place may be wrong.
        const stager = store.stage({ path: other ?? place })
        const bytes = Buffer.from(json)
        for (let start = 0; start < bytes.length; start += chunkBytes) {
          stager.write(bytes.subarray(start, start + chunkBytes))
        }
        return { pairs: stager.end().map(({ value }) => ({ path: place, value })) }
      },
    }
  })

const functions: Readonly<
  Record<string, (current: TreeValue, json: string) => TreeValue | undefined>
> = {
  keep: (current) => current,
  refuse: () => undefined,
  fail() {
    throw new RangeError('no')
  },
  grow: (current, json) =>
    parseJson(`{"was":${current.isNull ? '1' : current.toText('export')},"and":${json}}`),
  move: (current, json) => (current.isNull ? parseJson(json) : parseJson('null')),
}

const computed = fc
  .tuple(fc.oneof(path, priorityPath), jsonText, fc.constantFrom(...Object.keys(functions)))
  .map(([place, json, name]): ModelWrite => {
    const value = (current: TreeValue) => functions[name]!(current, json)
    return {
      paths: [place],
      toString: () => `${name} ${place} ${json}`,
      make: () => ({ pairs: [{ path: place, value }] }),
    }
  })

/** A write at the longest path, or little above it. */
export const farWrite: fc.Arbitrary<ModelWrite> = fc
  .tuple(longPath, fc.oneof(jsonText, fc.constant('null')))
  .map(([place, json]) => plain([[place, json]]))

const write = fc.oneof(
  { weight: 5, arbitrary: set },
  { weight: 3, arbitrary: deletion },
  { weight: 2, arbitrary: priority },
  { weight: 2, arbitrary: update },
  { weight: 2, arbitrary: staged },
  { weight: 2, arbitrary: computed },
)

const conditioned = fc
  .tuple(write, fc.oneof(path, priorityPath), fc.constantFrom('right', 'null_etag', 'wrong'))
  .map(([base, place, which]): ModelWrite => {
    return {
      paths: [...base.paths, place],
      toString: () => `where ${place} has ${which} etag: ${String(base)}`,
      make(store, before, seen) {
        const etag = which === 'right' ? before.etag(place) : which
        return { ...base.make(store, before, seen), precondition: { path: place, etag } }
      },
    }
  })

const judged = fc
  .tuple(fc.oneof(write, conditioned), path, keyRange, fc.boolean())
  .map(([base, place, range, isRefused]): ModelWrite => {
    return {
      paths: [...base.paths, place],
      toString: () => `judged at ${place}, refused ${isRefused}: ${String(base)}`,
      make(store, before, seen) {
        const judge: TreeWrite['judge'] = (old, next) => {
          for (const view of [old, next]) {
            seen.push(view.kind(place), view.get(place).toText('export'))
            seen.push([...view.keys(place, range)].join('/'), view.get(rootPath).toText('export'))
          }
          return isRefused ? new Error('refused') : undefined
        }
        return { ...base.make(store, before, seen), judge }
      },
    }
  })

/** Any write that the contract knows. */
export const modelWrite: fc.Arbitrary<ModelWrite> = fc.oneof(
  { weight: 6, arbitrary: write },
  { weight: 1, arbitrary: conditioned },
  { weight: 1, arbitrary: judged },
)

function plain(pairs: readonly (readonly [path: Path, json: string])[]): ModelWrite {
  return {
    paths: pairs.map(([place]) => place),
    toString: () => `set ${pairs.map(([place, json]) => `${place} ${json}`).join('; ')}`,
    make: () => ({
      pairs: pairs.map(([place, json]) => ({ path: place, value: parseJson(json) })),
    }),
  }
}
