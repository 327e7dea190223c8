import type { ChangePair, Path, TreeValue } from '@elkyn/tree'

/*
 * An entry of the change log holds the changes of a batch, or of a part of a long one, in order. Its
 * key is a 1, which stands for the one log that there is (4 bytes), and the sequence number of its last
 * change (6), both big-endian, so that the first key from a number on is that of the entry that holds it.
 *
 * | bytes | what |
 * | --- | --- |
 * | 6 | bytes of all entries ever logged, this one included |
 * | 2 | number of changes |
 * | per change: 4 | bytes of the rest of it; the highest bit says that it is an update |
 * | 6 | time, milliseconds since 1970 |
 * | 4 | mark: random bits that tell this history from another one with the same numbers |
 * | of an update: 2 | how many bytes of the first pair's path are the path that was updated; 0 for the root |
 * | per pair: 2, 1, 4 | bytes of the path; form of the text (0 a hole, 1 plain, 2 export); its bytes |
 * | | path, text |
 */

export const HEADER_BYTES = 8
export const COUNT_OFFSET = 6
export const CHANGE_HEADER_BYTES = 14
export const TIME_OFFSET = 4
export const MARK_OFFSET = 10
export const UPDATE_BIT = 0x8000_0000
export const UPDATE_BYTES = 2
export const PAIR_HEADER_BYTES = 7
/** Stands for the form of a text that is not there. */
export const HOLE = 0

/** A change is logged with so much text; who needs a value beyond reads it from the tree. */
export const LOGGED_TEXT_MAX_LENGTH: number = 1024 * 1024

/** Whether a value goes into the log where there is room for so much text. */
export function isLogged({ text }: TreeValue, room: number): boolean {
  return text.length <= room
}

/** The pair as it goes into the log: without its value where that has more text than there is room for. */
export function loggedPair(path: Path, value: TreeValue, room: number): ChangePair {
  return { path, value: isLogged(value, room) ? value : undefined }
}

/** Bytes of a change that begins with these four. */
export function changeBytes(head: number): number {
  return 4 + (head & ~UPDATE_BIT)
}
