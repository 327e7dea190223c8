import { expect, test } from 'vitest'
import { UploadPlaces } from './upload-places.ts'

function makePlaces(maximum: number) {
  let nowMs = 0
  const places = new UploadPlaces(maximum, () => nowMs)
  const pass = (ms: number): void => {
    nowMs += ms
  }
  return { places, pass }
}

test('UploadPlaces gives no more places than there are', () => {
  const { places } = makePlaces(2)
  const first = places.take()!
  places.take()
  expect(places.hasRoom).toBe(false)
  expect(places.take()).toBeUndefined()
  places.leave(first)
  expect(places.hasRoom).toBe(true)
  expect(places.take()).toBeDefined()
})

test('UploadPlaces lets the slowest body give way, once that is known', async () => {
  const { places, pass } = makePlaces(3)
  const [quick, slow, stalled] = [places.take()!, places.take()!, places.take()!]
  for (const place of [quick, slow, stalled]) place.wait()
  pass(9000)
  quick.received(200_000)
  slow.received(100_000)
  for (const place of [quick, slow]) place.wait()
  expect(places.hasRoom).toBe(false)
  pass(1000)
  expect(places.hasRoom).toBe(true)
  expect(places.take()).toBeDefined()
  await expect(stalled.givenUp).rejects.toMatchObject({ status: 503 })
  expect(places.take()).toBeDefined()
  await expect(slow.givenUp).rejects.toMatchObject({ status: 503 })
  expect(places.take()).toBeUndefined()
})

test('UploadPlaces does not hold against a body that it waits for the writer', () => {
  const { places, pass } = makePlaces(1)
  const place = places.take()!
  place.wait()
  pass(1000)
  place.received(1)
  pass(60_000)
  expect(places.hasRoom).toBe(false)
})
