import type { Known, StreamEvent, StreamResult } from '../streams/stream-job.ts'

/** An event without its data, whose length it says instead. */
interface EventHead extends Omit<StreamEvent, 'json' | 'name'> {
  readonly name: 'put' | 'patch' | null
  readonly length: number
}

interface ResultHead extends Omit<StreamResult, 'events' | 'whole' | 'framed' | 'known'> {
  readonly events: readonly EventHead[]
  readonly known?: Omit<Known, 'keys'> | undefined
  /** Bytes of the keys that are known, behind the data of the events. */
  readonly keysLength?: number
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
export function streamResultBytes({
  events,
  whole,
  framed,
  known: { keys, ...known } = {},
  ...rest
}: StreamResult): Uint8Array {
  const lent = framed?.isLent === true ? framed : undefined
  const isFirstWhole = whole !== undefined && whole === events[0]
  const extra = whole === undefined || isFirstWhole ? [] : [whole]
  const head: ResultHead = {
    ...rest,
    known,
    events: events.map(headOf),
    ...(keys === undefined ? {} : { keysLength: keys.length }),
    ...(extra[0] === undefined ? {} : { whole: headOf(extra[0]) }),
    isFirstWhole,
    ...(framed === undefined ? {} : { framedCount: framed.count }),
    ...(lent === undefined ? {} : { lentBytes: lent.bytes.length }),
  }
  const text = Buffer.from(JSON.stringify(head))
  const prefix = Buffer.allocUnsafe(prefixBytes)
  prefix.writeUInt32LE(text.length)
  const data = [...events, ...extra].map(({ json }) => json)
  if (keys !== undefined) data.push(keys)
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
  const bytesOf = (length: number): Buffer => memory.subarray(end, (end += length))
  const take = ({ name, id, length }: EventHead): StreamEvent => {
    return { name: name ?? undefined, json: bytesOf(length), id }
  }
  const {
    isFirstWhole,
    events: heads,
    whole: wholeHead,
    framedCount,
    lentBytes,
    known,
    keysLength,
    ...rest
  } = head
  const events = heads.map(take)
  const whole = isFirstWhole ? events[0] : wholeHead && take(wholeHead)
  // They are held longer than all the rest.
  const keys = keysLength === undefined ? {} : { keys: Buffer.from(bytesOf(keysLength)) }
  const isLent = lentBytes !== undefined
  const framedBytes = isLent ? lent.subarray(0, lentBytes) : memory.subarray(end)
  const framed =
    framedCount === undefined ? undefined : { count: framedCount, bytes: framedBytes, isLent }
  return { ...rest, events, whole, framed, known: { ...known, ...keys } }
}

function headOf({ name, json, id }: StreamEvent): EventHead {
  return { name: name ?? null, id, length: json.length }
}
