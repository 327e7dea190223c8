/** Takes so many bytes from the front of blocks. @returns them, and the blocks behind them. */
export async function takePrefix(
  blocks: AsyncIterableIterator<Uint8Array>,
  length: number,
): Promise<{ readonly prefix: Uint8Array; readonly rest: AsyncIterable<Uint8Array> }> {
  const prefix = new Uint8Array(length)
  let end = 0
  let behind: Uint8Array | undefined
  while (end < length) {
    const { value, done } = await blocks.next()
    if (done === true) throw new Error('Too few bytes')
    const own = value.subarray(0, length - end)
    prefix.set(own, end)
    end += own.length
    behind = value.subarray(own.length)
  }
  return { prefix, rest: behindBlock(behind, blocks) }
}

async function* behindBlock(
  first: Uint8Array | undefined,
  blocks: AsyncIterableIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  try {
    if (first !== undefined && first.length > 0) yield first
    yield* blocks
  } finally {
    await blocks.return?.()
  }
}
