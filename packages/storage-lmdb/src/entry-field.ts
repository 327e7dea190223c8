import { anyBranch, indexPriorityOf, indexValueOf, locate, nodeAt } from '@elkyn/tree'
import type { IndexValue, QueryField, TreeValue } from '@elkyn/tree'
import { Head } from './entry.ts'
import type { Entry } from './entry.ts'
import type { EntryLookup } from './place.ts'

/** What a field of a child counts as, when the child is an entry. Reads no more of it than that. */
export function entryField(source: EntryLookup, entry: Entry, field: QueryField): IndexValue {
  if (field.kind === 'priority') return priorityOf(entry)
  const { keys } = field
  let at: Entry | undefined = entry
  let depth = 0
  for (; at instanceof Head && depth < keys.length; depth++)
    at = source.entry(at.number, keys[depth]!)
  if (at instanceof Head) return anyBranch
  return at === undefined ? null : valueIn(at, keys.slice(depth))
}

function valueIn(row: TreeValue, keys: readonly string[]): IndexValue {
  if (row.form === 'export') return indexValueOf(nodeAt(row.node, keys))
  if (keys.length === 0) return leafOf(row.text)
  const span = locate(row.text, keys)
  return span === undefined ? null : leafOf(row.text.slice(span.start, span.end))
}

const quotationMark = 0x22
const openBracket = 0x5b
const openBrace = 0x7b

/** The leaf that a plain text is, or any branch. */
function leafOf(text: string): IndexValue {
  const first = text.charCodeAt(0)
  if (first === openBrace || first === openBracket) return anyBranch
  // Most strings are what stands between the quotation marks, and `JSON.parse` takes several times as long.
  if (first === quotationMark && !text.includes('\\')) return text.slice(1, -1)
  return JSON.parse(text) as IndexValue
}

function priorityOf(entry: Entry): IndexValue {
  if (entry instanceof Head) return entry.priority
  return entry.form === 'plain' ? null : indexPriorityOf(entry.node)
}
