import { createHash, hash } from 'node:crypto'
import type { TreeValue } from '@elkyn/tree'

/** What an ETag says of nothing. */
export const NULL_ETAG = 'null_etag'

/** SHA-1 of the canonical text in export form, in base 64: 28 characters. */
export function etagOfValue(value: TreeValue): string {
  return value.isNull ? NULL_ETAG : hash('sha1', value.toText('export'), 'base64')
}

/** The same for text in export form that comes in blocks. */
export function etagOfBlocks(blocks: Iterable<Uint8Array>): string {
  const digest = createHash('sha1')
  for (const block of blocks) digest.update(block)
  return digest.digest('base64')
}
