import { MessageChannel } from 'node:worker_threads'
import type { Answer } from '../message.ts'
import { Refusal } from '../refusal.ts'
import { withPiece } from '../streams/piece-memory.ts'
import type { PieceMemory } from '../streams/piece-memory.ts'
import type { LargeValue, StreamJob, StreamResult } from '../streams/stream-job.ts'
import type { OnChanges, StreamSource } from '../streams/stream-source.ts'
import type { StreamTarget } from '../streams/stream-target.ts'
import { parseChangeMessage } from './change-message.ts'
import type { ChangeMessage } from './change-message.ts'
import { OwnBlocks } from './own-blocks.ts'
import { placeOf } from './place-headers.ts'
import type { StreamRefusal } from './reader.ts'
import { takePrefix } from './prefixed-blocks.ts'
import type { ReaderPool } from './reader-pool.ts'
import { parseStreamResult } from './stream-result-bytes.ts'
import type { WriterPool } from './writer-pool.ts'

/** Streams of a store that other threads have open: changes come from the one that writes, values from readers. */
export class PoolSource implements StreamSource {
  readonly #readers: ReaderPool
  readonly #writer: WriterPool
  readonly #pieces: PieceMemory

  /** @param pieces Memory that the readers see as well. */
  constructor(readers: ReaderPool, writer: WriterPool, pieces: PieceMemory) {
    this.#readers = readers
    this.#writer = writer
    this.#pieces = pieces
  }

  // The port closes with the thread at its other end, whatever that dies of.
  async listen(onChanges: OnChanges, onLost: () => void): Promise<() => void> {
    const { port1: near, port2: far } = new MessageChannel()
    let isStopped = false
    const stop = (): void => {
      isStopped = true
      near.close()
    }
    near.on('message', (message: ChangeMessage) => {
      if (!isStopped) onChanges(parseChangeMessage(message))
    })
    near.on('close', () => {
      if (!isStopped) onLost()
    })
    near.unref()
    try {
      await this.#writer.listen(far)
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  async check(target: StreamTarget): Promise<void> {
    const refusal = await this.#readers.checkStream(target)
    if (refusal !== undefined) throw refused(refusal)
  }

  async run(job: StreamJob): Promise<StreamResult> {
    return withPiece(this.#pieces, job, async (piece) => {
      const result = await this.#readers.runStreamJob({ ...job, piece: piece?.number })
      if (result instanceof Uint8Array) return parseStreamResult(result, piece?.bytes)
      if ('status' in result) throw refused(result)
      return result
    })
  }

  async readLarge(target: StreamTarget, signal: AbortSignal): Promise<LargeValue> {
    const { headers, body } = await this.#readers.readLargeStream(target, signal)
    const { keysLength, ...place } = placeOf(headers)
    const blocks = ownBlocks(body)
    if (keysLength === undefined) return { ...place, blocks }
    const { prefix: keys, rest } = await takePrefix(blocks, keysLength)
    return { ...place, known: { keys }, blocks: rest }
  }
}

function refused({ status, message, headers }: StreamRefusal): Refusal {
  return new Refusal(status, message, headers)
}

// A stream may hold what its client does not take.
function ownBlocks(body: Answer['body']): OwnBlocks {
  if (body !== undefined && Symbol.asyncIterator in body) return new OwnBlocks(body)
  throw new Error('A value that is sent in blocks came without')
}
