import { createHash, hash } from 'node:crypto'
import { nullEtag } from '@elkyn/tree'
import type { TreeValue } from '@elkyn/tree'

/** What `etagOf` of the tree says, by the digest that Node brings, which is several times as fast. */
export function etagOfValue(value: TreeValue): string {
  return value.isNull ? nullEtag : hash('sha1', value.toText('export'), 'base64')
}

/** The same for text in export form that comes in blocks. */
export function etagOfBlocks(blocks: Iterable<Uint8Array>): string {
  const steps = etagSteps(blocks)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The same with a rest after each block. */
export function* etagSteps(blocks: Iterable<Uint8Array>): Generator<void, string, void> {
  const digest = createHash('sha1')
  const iterator = blocks[Symbol.iterator]()
  try {
    for (let next = iterator.next(); next.done !== true; next = iterator.next(next.value)) {
      digest.update(next.value)
      yield
    }
  } finally {
    iterator.return?.()
  }
  return digest.digest('base64')
}
