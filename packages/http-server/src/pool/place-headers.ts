import type { RawHeaders } from '../message.ts'
import type { LargeValue } from '../streams/stream-job.ts'

/** A place in the history among the headers of an answer, which threads can send each other. */
export function placeHeaders(sequence: number, id: string | undefined): RawHeaders {
  return ['sequence', String(sequence), 'id', id ?? '']
}

/** Reads what {@link placeHeaders} has written. */
export function placeOf([, sequence, , id]: RawHeaders): Pick<LargeValue, 'sequence' | 'id'> {
  return { sequence: Number(sequence), id: id === '' ? undefined : id }
}
