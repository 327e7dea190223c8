import { TreeValue } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'

/** Changes on their way from the thread that writes, as one flat list: cloning that costs least. */
export type ChangeMessage = readonly (string | number | null)[]

/** Longer texts stay behind: who needs one reads it from the log. In UTF-16 units. */
const maxTextLength = 64 * 1024

const Form = { none: 0, plain: 1, export: 2 } as const

/** Writes the changes of a commit for another thread. */
export function changeMessage(changes: readonly Change[]): ChangeMessage {
  const message: (string | number | null)[] = []
  for (const { sequence, id, update, pairs } of changes) {
    message.push(sequence, id, update ?? null, pairs.length)
    for (const { path, value } of pairs) {
      const isCarried = value !== undefined && value.text.length <= maxTextLength
      message.push(path, isCarried ? Form[value.form] : Form.none, isCarried ? value.text : null)
    }
  }
  return message
}

/** Reads what {@link changeMessage} has written. */
export function parseChangeMessage(message: ChangeMessage): Change[] {
  const changes: Change[] = []
  for (let at = 0; at < message.length;) {
    const [sequence, id, update, count] = message.slice(at, at + 4) as [
      number,
      string,
      Path,
      number,
    ]
    at += 4
    const pairs: ChangePair[] = []
    for (let index = 0; index < count; index++, at += 3) {
      const path = message[at] as Path
      pairs.push({ path, value: valueOf(message[at + 1] as number, message[at + 2] as string) })
    }
    changes.push({ sequence, time: 0, id, update: update ?? undefined, pairs })
  }
  return changes
}

function valueOf(form: number, text: string): TreeValue | undefined {
  if (form === Form.none) return undefined
  return TreeValue.fromCanonical(text, form === Form.plain ? 'plain' : 'export')
}
