import { childPath, fieldOf } from '@elkyn/tree'
import type { IndexValue, Path, QueriedChildren, QueryField } from '@elkyn/tree'
import type { EntryView } from './entry-view.ts'

/** The children of a path as a query looks at them, through a view of the entries. */
export function childrenAt(view: EntryView, path: Path): QueriedChildren {
  return {
    keys: (range) => view.keys(path, range),
    has: (key) => view.kind(childPath(path, key)) !== 'none',
    field: (key, field) => fieldAt(view, childPath(path, key), key, field),
  }
}

/** What a field of a child counts as. Reads no more of the child than that. */
function fieldAt(view: EntryView, child: Path, key: string, field: QueryField): IndexValue {
  if (field.kind === 'key') return key
  const node = view.top(field.keys.reduce(childPath, child))
  return fieldOf(key, node, field.kind === 'child' ? { ...field, keys: [] } : field)
}
