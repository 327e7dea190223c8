import type { StagedPair, StageOptions, TreeSnapshot, TreeWrite, WriteOutcome } from '@elkyn/tree'
import type { Compression } from './compression.ts'
import type { HttpResponse } from './message.ts'
import type { StreamTarget } from './streams/stream-target.ts'

/**
 * What has to be done to answer a request. Planning touches no store and waits for nothing, so
 * whoever carries a plan out chooses the thread, and how many writes share a commit.
 */
export type Plan = RespondPlan | ReadPlan | StreamPlan | WritePlan | BodyPlan

/** The answer is known. */
export interface RespondPlan {
  readonly kind: 'respond'
  readonly response: HttpResponse
}

/** The answer lies in a snapshot. */
export interface ReadPlan {
  readonly kind: 'read'
  /** How long it may take: an answer that has not begun by then is refused, one that has is broken off. */
  readonly timeoutMs?: number | undefined
  /** Most bytes of a body; a longer one is refused. Default: any number. */
  readonly maxBytes?: number | undefined
  /** Whether it reads an ETag, which takes as long as the value is large. */
  readonly readsEtag?: boolean
  /** What is to be done to the answer of {@link run} to make it smaller. Default: nothing. */
  readonly compression?: Compression | undefined
  /** A body in blocks reads from the snapshot while it is taken, so that must stay open till its end. */
  run(snapshot: TreeSnapshot): HttpResponse
}

/** What is to be watched. The answer goes on until one side ends it. */
export interface StreamPlan {
  readonly kind: 'stream'
  readonly target: StreamTarget
  /** Behind which event it goes on; a new one begins with the whole. */
  readonly lastEventId: string | undefined
  /** Whether only its head is wanted. */
  readonly isHead?: boolean
}

/** Something is to be written. */
export interface WritePlan {
  readonly kind: 'write'
  readonly write: TreeWrite
  /** Most bytes that may lie where it writes; default: any number. */
  readonly maxReplacedBytes?: number | undefined
  /** What to answer; a read where the answer is too large to have come back with the outcome. */
  answer(outcome: WriteOutcome): RespondPlan | ReadPlan
}

/**
 * The rest depends on the body, which nobody has to read before. Up to {@link maxParsedBytes} it is
 * parsed in one piece, a larger one is staged in the store as it arrives.
 */
export interface BodyPlan {
  readonly kind: 'body'
  /** Whether a digest of the body is wanted, to know it when it comes again. */
  readonly isDigested: boolean
  /** Most bytes that the body may have beside the limit of the server; default: any number. */
  readonly maxBytes?: number | undefined
  /** @throws {TreeError} what is wrong with it. @throws {Refusal} likewise. */
  parse(body: Uint8Array, digest?: string): RespondPlan | WritePlan
  readonly stageOptions: StageOptions
  staged(pairs: readonly StagedPair[], digest?: string): RespondPlan | WritePlan
}

/** Largest body, in bytes, that is held in memory and parsed in one piece. */
export const maxParsedBytes: number = 64 * 1024
