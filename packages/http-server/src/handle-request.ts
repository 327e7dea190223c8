import { TreeError } from '@elkyn/tree'
import type { Path, TreeSnapshot, TreeStore, TreeWrite, WriteOutcome } from '@elkyn/tree'
import { BodyPlace } from './body-place.ts'
import { BodySink, checkBodyHead, checkLength, piecesOf } from './body-sink.ts'
import { compressed } from './compression.ts'
import { answerUnwanted, requestAborted } from './errors.ts'
import { failureResponse, unshownResponse, updateFailure, writeFailureResponse } from './failure.ts'
import type { HeldValues } from './held-values.ts'
import type { Log } from './log.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import type { Places } from './places.ts'
import { planRequest } from './plan-request.ts'
import type { PlanOptions } from './plan-request.ts'
import { maxParsedBytes } from './plan.ts'
import type { BodyPlan, ReadPlan, WritePlan } from './plan.ts'
import { PutOffAnswer, QuickSlice, TakesLonger, putOffWrite } from './put-off.ts'
import { tooMuchData } from './read.ts'
import { Refusal } from './refusal.ts'
import { giveUpAnswer } from './send.ts'
import type { StreamedAnswers, StreamedPlace } from './streamed-answers.ts'
import { shortSliceMs, TimeSlice } from './time-slice.ts'
import { UnhurriedSnapshot, runUnhurried } from './unhurried-snapshot.ts'
import type { UploadPlaces } from './upload-places.ts'
import { exceeds, writeTooBig } from './write-size-limit.ts'

export interface HandlerContext extends PlanOptions {
  readonly store: TreeStore
  readonly maxBodyBytes: number
  readonly heldValues: HeldValues
  /** For large bodies. Default: who gives these has given them a place. */
  readonly uploads?: UploadPlaces
  readonly streamedAnswers: StreamedAnswers
  /** For what writes that name a limit have to read before. */
  readonly sizePlaces: Places
  /**
   * What takes long to read is put off where a thread has others to answer: what a write says of what is there then, and for a
   * write itself, what has to be known of that before. Default: nothing.
   */
  readonly putsOff?: 'answers' | 'answers and writes'
  readonly log: Log
}

/** Before all changes. */
const neverSequence = -1

/** Plans a request and carries the plan out in the calling thread; reads at once. */
export function handleRequest(
  request: HttpRequest,
  context: HandlerContext,
): HttpResponse | Promise<HttpResponse> {
  try {
    const plan = planRequest(request, context)
    if (plan.kind === 'respond') return plan.response
    if (plan.kind === 'stream') throw new Refusal(501, 'Streams are answered by a server only')
    if (plan.kind === 'write' || plan.kind === 'body') return change(plan, request, context)
    const deadline = deadlineOf(plan, request)
    return plan.maxBytes === undefined && plan.readsEtag !== true
      ? answer(plan, context, deadline)
      : unhurriedAnswer(plan, request, context, deadline)
  } catch (error) {
    return failureResponse(error, context.log)
  }
}

/** When it takes too long; undefined if never. */
function deadlineOf({ timeoutMs }: ReadPlan, { cameAt }: HttpRequest): number | undefined {
  return timeoutMs === undefined ? undefined : (cameAt ?? performance.now()) + timeoutMs
}

/** @throws {Refusal} 400 */
function checkTime(deadline: number | undefined): void {
  if (deadline !== undefined && performance.now() > deadline) throw tooMuchData()
}

function answer(
  plan: ReadPlan,
  context: HandlerContext,
  deadline: number | undefined,
): HttpResponse {
  const snapshot = context.store.snapshot()
  try {
    return opened(plan.run(snapshot), snapshot, plan, context, deadline)
  } catch (error) {
    snapshot.close()
    throw error
  }
}

/** A response with what it takes to send it. Closes the snapshot where that is nothing. */
function opened(
  found: HttpResponse,
  snapshot: TreeSnapshot,
  { compression }: ReadPlan,
  { streamedAnswers }: HandlerContext,
  deadline: number | undefined,
  place?: StreamedPlace,
): HttpResponse {
  const response = compressed(found, compression)
  try {
    checkTime(deadline)
  } catch (error) {
    giveUpAnswer(response)
    throw error
  }
  const { body } = response
  if (body !== undefined && !(body instanceof Uint8Array)) {
    return { ...response, body: streamedAnswers.begin(body, snapshot, place), deadline }
  }
  place?.leave()
  snapshot.close()
  return response
}

/** The same for a read that has to take in all of a value before it is answered, for its size or its ETag. */
async function unhurriedAnswer(
  plan: ReadPlan,
  request: HttpRequest,
  context: HandlerContext,
  deadline: number | undefined,
): Promise<HttpResponse> {
  try {
    const slice = new TimeSlice(shortSliceMs, () => {
      checkTime(deadline)
      checkWanted(request)
    })
    return await answerUnhurried(plan, context, deadline, slice.rest)
  } catch (error) {
    return failureResponse(error, context.log)
  }
}

/** @throws {HttpServerError} `ERR_REQUEST_ABORTED` */
function checkWanted({ signal }: HttpRequest): void {
  if (signal.aborted) throw answerUnwanted()
}

/** @param rest Called between two steps; may throw to end the work. */
async function answerUnhurried(
  plan: ReadPlan,
  context: HandlerContext,
  deadline: number | undefined,
  rest: () => Promise<void>,
): Promise<HttpResponse> {
  const snapshot = new UnhurriedSnapshot(context.store.snapshot())
  const place = context.streamedAnswers.place()
  try {
    const response = await runUnhurried(plan, snapshot, () => {
      place.take()
      return rest()
    })
    return opened(response, snapshot, plan, context, deadline, place)
  } catch (error) {
    place.leave()
    snapshot.close()
    throw error
  }
}

async function change(
  plan: WritePlan | BodyPlan,
  request: HttpRequest,
  context: HandlerContext,
): Promise<HttpResponse> {
  try {
    return await (plan.kind === 'body'
      ? takeBody(plan, request, context)
      : writeBehindBody(plan, request, context))
  } catch (error) {
    if (error instanceof TakesLonger) return putOffWrite
    const isUpdate = plan.kind === 'body' && plan.stageOptions.kind === 'update'
    return writeFailureResponse(isUpdate ? updateFailure(error) : error, context.log)
  }
}

async function takeBody(
  plan: BodyPlan,
  request: HttpRequest,
  context: HandlerContext,
): Promise<HttpResponse> {
  checkBodyHead(request, context.maxBodyBytes)
  const announcedBytes = Number(request.headers['content-length'] ?? 0)
  checkWriteSize(announcedBytes, plan)
  using place = new BodyPlace(context.uploads)
  place.reach(announcedBytes)
  using sink = new BodySink(context, plan, announcedBytes)
  const take = (piece: Uint8Array): void => {
    sink.write(piece)
    checkWriteSize(sink.length, plan)
    if (sink.isStaging && request.signal.aborted) throw requestAborted()
  }
  const { body: given } = request
  // To wait for what is here takes longer than to parse it.
  if (given instanceof Uint8Array && given.length <= maxParsedBytes) take(given)
  else for await (const piece of piecesOf(given, place)) take(piece)
  const body = sink.end()
  const digest = sink.digest()
  const next = body instanceof Uint8Array ? plan.parse(body, digest) : plan.staged(body, digest)
  return next.kind === 'respond' ? next.response : await write(next, request, context)
}

/** Carries out what needs no body. One that comes has to come whole: a request that breaks off in it was never made. */
async function writeBehindBody(
  plan: WritePlan,
  request: HttpRequest,
  context: HandlerContext,
): Promise<HttpResponse> {
  const { body } = request
  if (body instanceof Uint8Array) checkLength(body.length, context.maxBodyBytes)
  else if (body !== undefined) await skipBody(body, request, context)
  return write(plan, request, context)
}

async function skipBody(
  body: AsyncIterable<Uint8Array>,
  { headers }: HttpRequest,
  { maxBodyBytes, uploads }: HandlerContext,
): Promise<void> {
  const announcedBytes = Number(headers['content-length'] ?? 0)
  checkLength(announcedBytes, maxBodyBytes)
  using place = new BodyPlace(uploads)
  place.reach(announcedBytes)
  let length = 0
  for await (const piece of piecesOf(body, place)) {
    length += piece.length
    checkLength(length, maxBodyBytes)
  }
}

function checkWriteSize(length: number, { maxBytes = Infinity }: BodyPlan): void {
  if (length > maxBytes) throw writeTooBig()
}

/** The write, refused if it replaces more than it may. */
async function sized(
  { write: wanted, maxReplacedBytes }: WritePlan,
  context: HandlerContext,
): Promise<TreeWrite> {
  if (maxReplacedBytes === undefined) return wanted
  const paths = wanted.pairs.map(({ path }) => path)
  if (!(await isTooMuch(paths, maxReplacedBytes, context))) return wanted
  // Said by a judge, because one that was carried out before is answered as it was then.
  return { ...wanted, judge: writeTooBig }
}

/** At once where that is little; what takes longer is not read by more than a few at one time. */
async function isTooMuch(
  paths: readonly Path[],
  maxBytes: number,
  { store, sizePlaces, putsOff }: HandlerContext,
): Promise<boolean> {
  const look = async (slice: TimeSlice): Promise<boolean> => {
    using snapshot = store.snapshot()
    return await exceeds(snapshot, paths, maxBytes, slice.rest)
  }
  try {
    return await look(new QuickSlice())
  } catch (error) {
    if (!(error instanceof TakesLonger) || putsOff === 'answers and writes') throw error
    return await sizePlaces.run(() => look(new TimeSlice(shortSliceMs)))
  }
}

/** @throws {TakesLonger} where it is put off: nothing was done then. */
async function carryOut(plan: WritePlan, context: HandlerContext): Promise<WriteOutcome> {
  const { store, putsOff } = context
  const wanted = await sized(plan, context)
  const { precondition } = wanted
  if (putsOff !== 'answers and writes' || precondition === undefined) return store.write(wanted)
  // Who knows nothing is told so where the value is large, and else what became of the write.
  const known = { etag: precondition.etag, sequence: neverSequence }
  const outcome = await store.write({ ...wanted, precondition: { ...precondition, known } })
  if (isStale(outcome)) throw new TakesLonger()
  return outcome
}

function isStale(outcome: WriteOutcome): boolean {
  if (outcome.ok) return false
  const { error } = outcome
  return error instanceof TreeError && error.code === 'ERR_CONDITION_STALE'
}

async function write(
  plan: WritePlan,
  request: HttpRequest,
  context: HandlerContext,
): Promise<HttpResponse> {
  const outcome = await carryOut(plan, context)
  const next = plan.answer(outcome)
  if (next.kind === 'respond') return next.response
  if (context.putsOff === undefined) {
    const slice = new TimeSlice(shortSliceMs, () => checkWanted(request))
    return await outcomeAnswer(next, outcome, context, slice.rest)
  }
  try {
    return await outcomeAnswer(next, outcome, context, new QuickSlice().rest)
  } catch {
    return new PutOffAnswer(outcome.ok ? 200 : 412, (rest) =>
      outcomeAnswer(next, outcome, context, rest),
    )
  }
}

/**
 * The answer to a write, for which what is there has to be read.
 * @throws {TakesLonger} as `rest`, and nothing else.
 */
async function outcomeAnswer(
  plan: ReadPlan,
  { ok }: WriteOutcome,
  context: HandlerContext,
  rest: () => Promise<void>,
): Promise<HttpResponse> {
  try {
    return await answerUnhurried(plan, context, undefined, rest)
  } catch (error) {
    if (error instanceof TakesLonger) throw error
    // If it was refused, that was to show what is there instead. Else no answer may say that nothing was written.
    return ok ? unshownResponse(error, context.log) : writeFailureResponse(error, context.log)
  }
}
