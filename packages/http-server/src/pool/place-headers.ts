import type { RawHeaders } from '../message.ts'
import type { LargeValue } from '../streams/stream-job.ts'

/**
 * A place in the history, and how many bytes of keys come before the value, among the headers of an answer, which threads can
 * send each other.
 */
export function placeHeaders(
  sequence: number,
  id: string | undefined,
  keysLength: number | undefined,
): RawHeaders {
  return ['sequence', String(sequence), 'id', id ?? '', 'keys', String(keysLength ?? '')]
}

/** Reads what {@link placeHeaders} has written. */
export function placeOf([, sequence, , id, , keys]: RawHeaders): Pick<
  LargeValue,
  'sequence' | 'id'
> & { readonly keysLength: number | undefined } {
  return {
    sequence: Number(sequence),
    id: id === '' ? undefined : id,
    keysLength: keys === '' ? undefined : Number(keys),
  }
}
