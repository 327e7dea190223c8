import type { HttpResponse } from './message.ts'
import { tooMuchData } from './read.ts'

/**
 * Reads an answer through, to see that it is not larger than may be, and throws it away. Its length has
 * to be known before its first byte is sent, because after that there is no way to refuse it.
 *
 * @param rest Called behind each block of several.
 * @throws {Refusal} 400 for more than `maxBytes`, as soon as that is seen.
 */
export async function checkAnswerSize(
  { body = [] }: HttpResponse,
  maxBytes: number,
  rest: () => Promise<void>,
): Promise<void> {
  let bytes = 0
  for (const block of body instanceof Uint8Array ? [body] : body) {
    bytes += block.length
    if (bytes > maxBytes) throw tooMuchData()
    if (block !== body) await rest()
  }
}
