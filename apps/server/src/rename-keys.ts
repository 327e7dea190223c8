import { isReservedName, JsonTokenizer } from '@elkyn/tree'
import { DocumentCutter } from './document-cutter.ts'

/**
 * The same JSON text with other member names. Those with a meaning, such as `.priority`, stay, and
 * so does a key that would become one of them.
 */
export async function* renameKeys(
  input: AsyncIterable<Uint8Array>,
  rename: (key: string) => string,
): AsyncGenerator<Uint8Array> {
  const toKey = (key: string): string => {
    const name = rename(key)
    return isReservedName(name) ? key : name
  }
  const writer = new DocumentCutter({ toKey })
  const tokenizer = new JsonTokenizer(writer)
  for await (const block of input) {
    tokenizer.write(block)
    yield Buffer.from(writer.take().text)
  }
  tokenizer.end()
  yield Buffer.from(writer.take().text)
}
