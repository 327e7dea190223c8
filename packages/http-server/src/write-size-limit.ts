import type { Path, TreeSnapshot } from '@elkyn/tree'
import type { Parameters } from './parameters.ts'
import { Refusal } from './refusal.ts'

const mebibyte = 1024 * 1024

/**
 * [unconfirmed] The production service estimates times; here a name stands for bytes of JSON, of what
 * is written or of what was there before, whichever is more.
 */
const budgets: Readonly<Record<string, number>> = {
  tiny: mebibyte,
  small: 16 * mebibyte,
  medium: 64 * mebibyte,
  large: 256 * mebibyte,
  unlimited: Infinity,
}

/**
 * The bytes that a write may affect, of `writeSizeLimit=small`; `undefined` for any number, which is the
 * default: to replace or delete a large value holds nobody up here, as it does where the limit comes from.
 *
 * @throws {Refusal} 400 for another name.
 */
export function parseWriteSizeLimit(parameters: Parameters): number | undefined {
  const name = parameters.get('writeSizeLimit')
  if (name === undefined || name === 'unlimited') return undefined
  if (Object.hasOwn(budgets, name)) return budgets[name]
  const names = Object.keys(budgets).join(', ')
  throw new Refusal(400, `Invalid writeSizeLimit: It has to be one of ${names}`)
}

export function writeTooBig(): Refusal {
  return new Refusal(
    400,
    'WRITE_TOO_BIG: Data to write exceeds the maximum size that can be modified with a single request.',
  )
}

/**
 * Whether what lies at the paths is more than a write may affect. Reads no more than that.
 * @param rest Called behind each block but the first; may throw to end the work.
 */
export async function exceeds(
  snapshot: TreeSnapshot,
  paths: readonly Path[],
  maxBytes: number,
  rest: () => Promise<void>,
): Promise<boolean> {
  let bytes = 0
  let blocks = 0
  for (const path of paths) {
    for (const block of snapshot.jsonBlocks(path) ?? []) {
      bytes += block.length
      if (bytes > maxBytes) return true
      // One is soon read, however long the system lets the thread wait meanwhile.
      if (++blocks > 1) await rest()
    }
  }
  return false
}
