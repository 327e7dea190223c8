/** An iterable over what a function begins anew each time; stops it when its reader stops early. */
export function* iterableOf<T>(begin: () => Iterator<T>): Generator<T, void, void> {
  const iterator = begin()
  try {
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) yield step.value
  } finally {
    iterator.return?.()
  }
}
