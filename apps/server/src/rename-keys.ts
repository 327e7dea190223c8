import { JsonTokenizer } from '@elkyn/tree'
import { DocumentCutter } from './document-cutter.ts'

/**
 * The same JSON text with other member names. Those with a meaning, such as `.priority`, stay.
 * @param toKey must not make one of these.
 */
export async function* renameKeys(
  input: AsyncIterable<Uint8Array>,
  toKey: (key: string) => string,
): AsyncGenerator<Uint8Array> {
  const writer = new DocumentCutter({ toKey })
  const tokenizer = new JsonTokenizer(writer)
  for await (const block of input) {
    tokenizer.write(block)
    yield Buffer.from(writer.take().text)
  }
  tokenizer.end()
  yield Buffer.from(writer.take().text)
}
