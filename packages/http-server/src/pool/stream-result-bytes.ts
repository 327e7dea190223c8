import type { StreamEvent, StreamResult } from '../streams/stream-job.ts'

/** An event without its data, whose length it says instead. */
interface EventHead extends Omit<StreamEvent, 'json' | 'name'> {
  readonly name: 'put' | 'patch' | null
  readonly length: number
}

interface ResultHead extends Omit<StreamResult, 'events' | 'whole' | 'framed'> {
  readonly events: readonly EventHead[]
  /** The whole, where it is not the first of the events. */
  readonly whole?: EventHead
  readonly isFirstWhole: boolean
  /** How many events are framed, in what is left or in the memory that was lent for them. */
  readonly framedCount?: number
  /** Bytes of the latter. */
  readonly lentBytes?: number
}

const prefixBytes = 4
const nothing = Buffer.alloc(0)

/** Writes what a reading came to as bytes for another thread: a head in JSON, and the data of its events. */
export function streamResultBytes({ events, whole, framed, ...rest }: StreamResult): Uint8Array {
  const lent = framed?.isLent === true ? framed : undefined
  const isFirstWhole = whole !== undefined && whole === events[0]
  const extra = whole === undefined || isFirstWhole ? [] : [whole]
  const head: ResultHead = {
    ...rest,
    events: events.map(headOf),
    ...(extra[0] === undefined ? {} : { whole: headOf(extra[0]) }),
    isFirstWhole,
    ...(framed === undefined ? {} : { framedCount: framed.count }),
    ...(lent === undefined ? {} : { lentBytes: lent.bytes.length }),
  }
  const text = Buffer.from(JSON.stringify(head))
  const prefix = Buffer.allocUnsafe(prefixBytes)
  prefix.writeUInt32LE(text.length)
  const data = [...events, ...extra].map(({ json }) => json)
  if (framed !== undefined && lent === undefined) data.push(framed.bytes)
  return Buffer.concat([prefix, text, ...data])
}

/**
 * Reads what {@link streamResultBytes} has written. The data of events are views of `bytes`.
 * @param lent The memory that was lent for framed events.
 */
export function parseStreamResult(bytes: Uint8Array, lent: Buffer = nothing): StreamResult {
  const memory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let end = prefixBytes + memory.readUInt32LE()
  const head = JSON.parse(memory.toString('utf8', prefixBytes, end)) as ResultHead
  const take = ({ name, id, length }: EventHead): StreamEvent => {
    const json = memory.subarray(end, end + length)
    end += length
    return { name: name ?? undefined, json, id }
  }
  const { isFirstWhole, events: heads, whole: wholeHead, framedCount, lentBytes, ...rest } = head
  const events = heads.map(take)
  const whole = isFirstWhole ? events[0] : wholeHead && take(wholeHead)
  const isLent = lentBytes !== undefined
  const framedBytes = isLent ? lent.subarray(0, lentBytes) : memory.subarray(end)
  const framed =
    framedCount === undefined ? undefined : { count: framedCount, bytes: framedBytes, isLent }
  return { ...rest, events, whole, framed }
}

function headOf({ name, json, id }: StreamEvent): EventHead {
  return { name: name ?? null, id, length: json.length }
}
