import type { TreeSnapshot, TreeStore, TreeWrite } from '@elkyn/tree'
import { BodySink, checkBodyHead, piecesOf } from './body-sink.ts'
import { compressed } from './compression.ts'
import { answerUnwanted, requestAborted } from './errors.ts'
import { failureResponse, unshownResponse, updateFailure, writeFailureResponse } from './failure.ts'
import type { HeldValues } from './held-values.ts'
import type { Log } from './log.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import { planRequest } from './plan-request.ts'
import type { PlanOptions } from './plan-request.ts'
import { maxParsedBytes } from './plan.ts'
import type { BodyPlan, ReadPlan, WritePlan } from './plan.ts'
import { tooMuchData } from './read.ts'
import { Refusal } from './refusal.ts'
import { giveUpAnswer } from './send.ts'
import type { StreamedAnswers } from './streamed-answers.ts'
import { shortSliceMs, TimeSlice } from './time-slice.ts'
import { UnhurriedSnapshot, runUnhurried } from './unhurried-snapshot.ts'
import { exceeds, writeTooBig } from './write-size-limit.ts'

export interface HandlerContext extends PlanOptions {
  readonly store: TreeStore
  readonly maxBodyBytes: number
  readonly heldValues: HeldValues
  readonly streamedAnswers: StreamedAnswers
  readonly log: Log
}

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
    const deadline = deadlineOf(plan)
    return plan.maxBytes === undefined && plan.readsEtag !== true
      ? answer(plan, context, deadline)
      : unhurriedAnswer(plan, request, context, deadline)
  } catch (error) {
    return failureResponse(error, context.log)
  }
}

/** When it takes too long; undefined if never. */
function deadlineOf({ timeoutMs }: ReadPlan): number | undefined {
  return timeoutMs === undefined ? undefined : performance.now() + timeoutMs
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
    return { ...response, body: streamedAnswers.begin(body, snapshot), deadline }
  }
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
    return await answerUnhurried(plan, context, deadline, () => {
      checkTime(deadline)
      if (request.signal.aborted) throw answerUnwanted()
    })
  } catch (error) {
    return failureResponse(error, context.log)
  }
}

/** @param check Called after each slice; may throw to end the work. */
async function answerUnhurried(
  plan: ReadPlan,
  context: HandlerContext,
  deadline: number | undefined,
  check: () => void,
): Promise<HttpResponse> {
  const snapshot = new UnhurriedSnapshot(context.store.snapshot())
  try {
    const slice = new TimeSlice(shortSliceMs, check)
    const response = await runUnhurried(plan, snapshot, slice.rest)
    return opened(response, snapshot, plan, context, deadline)
  } catch (error) {
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
    return await (plan.kind === 'body' ? takeBody(plan, request, context) : write(plan, context))
  } catch (error) {
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
  using sink = new BodySink(context, plan, announcedBytes)
  const take = (piece: Uint8Array): void => {
    sink.write(piece)
    checkWriteSize(sink.length, plan)
    if (sink.isStaging && request.signal.aborted) throw requestAborted()
  }
  const { body: given } = request
  // To wait for what is here takes longer than to parse it.
  if (given instanceof Uint8Array && given.length <= maxParsedBytes) take(given)
  else for await (const piece of piecesOf(given)) take(piece)
  const body = sink.end()
  const digest = sink.digest()
  const next = body instanceof Uint8Array ? plan.parse(body, digest) : plan.staged(body, digest)
  return next.kind === 'respond' ? next.response : await write(next, context)
}

function checkWriteSize(length: number, { maxBytes = Infinity }: BodyPlan): void {
  if (length > maxBytes) throw writeTooBig()
}

/** The write, refused if it replaces more than it may. */
async function sized(
  { write: wanted, maxReplacedBytes }: WritePlan,
  { store }: HandlerContext,
): Promise<TreeWrite> {
  if (maxReplacedBytes === undefined) return wanted
  using snapshot = store.snapshot()
  const paths = wanted.pairs.map(({ path }) => path)
  if (!(await exceeds(snapshot, paths, maxReplacedBytes))) return wanted
  // Said by a judge, because one that was carried out before is answered as it was then.
  return { ...wanted, judge: writeTooBig }
}

async function write(plan: WritePlan, context: HandlerContext): Promise<HttpResponse> {
  const outcome = await context.store.write(await sized(plan, context))
  const next = plan.answer(outcome)
  if (next.kind === 'respond') return next.response
  try {
    // In slices: an ETag is of the whole of what is there, and this may be the one thread that writes.
    return await answerUnhurried(next, context, undefined, () => {})
  } catch (error) {
    // It was refused: that was to show what is there instead.
    if (!outcome.ok) throw error
    // It was committed, so that no answer may say that nothing was written.
    return unshownResponse(error, context.log)
  }
}
