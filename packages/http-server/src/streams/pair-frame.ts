import { rootPath } from '@elkyn/tree'
import type { PairFrame, Path } from '@elkyn/tree'
import { beforeEventId, blockEnd, jsonEventFrame, wholeAfter, wholeBefore } from './event-frame.ts'

const { before: beforeJson } = jsonEventFrame('put', undefined)
const beforePath = Buffer.concat([beforeJson, Buffer.from('{"path":"')])
const beforeText = Buffer.from('","data":')
const beforeOwnText = Buffer.concat([beforeJson, wholeBefore])
const beforeId = Buffer.concat([wholeAfter, Buffer.from(beforeEventId)])
const behindId = Buffer.from(blockEnd)

/** What is written of a pair at or below a path, as a `put`. */
export function pairFrame(path: Path): PairFrame {
  // As it begins the paths below it: that of the root is not to be seen there.
  const watched = Buffer.from(path === rootPath ? '' : path)
  return { path: watched, beforePath, beforeText, beforeOwnText, beforeId, behindId, isSpecial }
}

/** Bytes that do not stand for themselves in JSON; and the dot, which only the path of a priority has. */
const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || '"\\.'.includes(String.fromCharCode(byte)) ? 1 : 0,
)
