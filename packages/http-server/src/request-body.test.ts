import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { ArrivingBodies } from './arriving-bodies.ts'
import { RequestBody } from './request-body.ts'

function bodyOf(source: Readable, arriving = new ArrivingBodies(1e6)): RequestBody {
  return new RequestBody(source, {
    length: Number.NaN,
    isCopied: true,
    arriving,
    hasArrived: () => source.readableEnded,
    prepare: () => {},
  })
}

test('RequestBody gives chunks that have come meanwhile as one', async () => {
  const source = new Readable({ read() {} })
  const body = bodyOf(source)
  const first = body.next()
  source.push('a')
  expect(await first).toEqual({ done: false, value: Buffer.from('a') })
  const second = body.next()
  for (let index = 0; index < 10_000; index++) source.push('b')
  source.push(null)
  expect(await second).toEqual({ done: false, value: Buffer.from('b'.repeat(10_000)) })
  expect(await body.next()).toEqual({ done: true, value: undefined })
})

test('RequestBody stops the source while enough waits to be taken', async () => {
  const source = new Readable({ read() {} })
  const body = bodyOf(source)
  const first = body.next()
  source.push('a')
  await first
  source.push(Buffer.alloc(40_000))
  expect(source.isPaused()).toBe(false)
  source.push(Buffer.alloc(40_000))
  expect(source.isPaused()).toBe(true)
  expect((await body.next()).value).toHaveLength(80_000)
  const next = body.next()
  expect(source.isPaused()).toBe(false)
  source.push('b')
  expect((await next).value).toEqual(Buffer.from('b'))
})

test('RequestBody counts a long body with the small ones where it is held whole', async () => {
  const arriving = new ArrivingBodies(150_000)
  const sent = async (isHeld: boolean): Promise<RequestBody> => {
    const source = new Readable({ read() {} })
    const body = bodyOf(source, arriving)
    if (isHeld) body.hold()
    const first = body.next()
    source.push(Buffer.alloc(100_000))
    await first
    return body
  }
  const [staged, oldest, newest] = [await sent(false), await sent(true), await sent(true)]
  await expect(oldest.next()).rejects.toMatchObject({ status: 503 })
  for (const body of [staged, newest]) await body.return()
  await (await sent(true)).return()
})
