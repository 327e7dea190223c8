/** Resolves when a word of shared memory is no longer what was `seen`, or the time is over. */
export async function changed(
  words: Int32Array,
  word: number,
  seen: number,
  timeoutMs?: number,
): Promise<void> {
  const wait = Atomics.waitAsync(words, word, seen, timeoutMs)
  if (wait.async) await wait.value
}
