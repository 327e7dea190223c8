import type { QueryResult } from '@elkyn/tree'
import type { Steps } from '../steps.ts'

/** So many bytes of keys are read between two pauses, or a few more. */
const bytesAtOnce = 16 * 1024

const lineBreak = '\n'.charCodeAt(0)

/** The keys of what a query found, each with a line break behind it, which no key has. */
export function* keyBytes(result: QueryResult): Steps<Uint8Array> {
  const pieces: Uint8Array[] = []
  let lines = ''
  for (const entry of result.pageSteps()) {
    if (entry !== undefined) {
      lines += `${entry.key}\n`
      continue
    }
    pieces.push(Buffer.from(lines))
    lines = ''
    yield
  }
  pieces.push(Buffer.from(lines))
  return Buffer.concat(pieces)
}

/** The keys that {@link keyBytes} gave. */
export function* keySet({ buffer, byteOffset, length }: Uint8Array): Steps<ReadonlySet<string>> {
  const bytes = Buffer.from(buffer, byteOffset, length)
  const keys = new Set<string>()
  for (let start = 0; start < length;) {
    if (start > 0) yield
    const end = bytes.indexOf(lineBreak, Math.min(start + bytesAtOnce, length - 1))
    for (const key of bytes.toString('utf8', start, end).split('\n')) keys.add(key)
    start = end + 1
  }
  return keys
}
