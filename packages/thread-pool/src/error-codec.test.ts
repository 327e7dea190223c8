import { expect, test } from 'vitest'
import { packThrown, unpackThrown } from './error-codec.ts'

const passedOn = (error: unknown): unknown => unpackThrown(packThrown(error))

/** All errors in one, itself included. */
function countOf(error: unknown): number {
  if (!(error instanceof Error)) return 0
  const inner = error instanceof AggregateError ? (error.errors as unknown[]) : []
  return [error.cause, ...inner].reduce((sum: number, one) => sum + countOf(one), 1)
}

test('the errors of an AggregateError go along', () => {
  const errors = Array.from({ length: 5000 }, (_, index) => new RangeError(`${index}`))
  const passed = passedOn(new AggregateError(errors, 'all of them')) as AggregateError
  expect(passed.errors.length).toBe(errors.length)
  expect(passed.errors[4999]).toMatchObject({ name: 'RangeError', message: '4999' })
})

test('errors of what is no AggregateError are a property like others', () => {
  const errors = ['name is required', 'age must be a number']
  const passed = passedOn(Object.assign(new Error('Validation failed'), { errors, status: 422 }))
  expect(passed).toMatchObject({ message: 'Validation failed', errors, status: 422 })
  expect(passed).not.toBeInstanceOf(AggregateError)
})

test('a long text of an error goes along', () => {
  const stderr = 'x'.repeat(100_000)
  expect(passedOn(Object.assign(new Error('failed'), { stderr }))).toMatchObject({ stderr })
})

// Node.js 22 has none.
test.runIf('SuppressedError' in globalThis)('both errors of a SuppressedError go along', () => {
  const suppressed = new SuppressedError(new RangeError('later'), 'before', 'both')
  const passed = passedOn(suppressed) as SuppressedError
  expect(passed).toBeInstanceOf(SuppressedError)
  expect(passed).toMatchObject({ message: 'both', suppressed: 'before' })
  expect(passed.error).toBeInstanceOf(RangeError)
  expect(Object.keys(passed)).toEqual([])
})

test('errors that hold themselves many times do not go along without number', () => {
  const error = new AggregateError([], 'of itself')
  for (let count = 0; count < 1000; count++) error.errors.push(error)
  error.cause = error
  const passed = passedOn(error) as AggregateError
  expect(countOf(passed)).toBe(10_001)
  expect(passed.message).toBe('of itself')
})
