import { expect, test } from 'vitest'
import { CrashGuard } from './crash-guard.ts'
import { Quarantine } from './quarantine.ts'

function started(crashLoopLimit: number): CrashGuard {
  const guard = new CrashGuard({ crashLoopLimit, crashLoopPauseMs: 100 })
  guard.started()
  return guard
}

test('the first death is replaced at once, later ones ever later', () => {
  const guard = started(100)
  const delays = Array.from({ length: 12 }, () => guard.died('x'))
  expect(delays.slice(0, 5)).toEqual([0, 10, 20, 40, 80])
  expect(delays.at(-1)).toBe(5000)
})

test('a task that is done makes a death the first again', () => {
  const guard = started(100)
  guard.died('x')
  guard.died('x')
  expect(guard.progressed()).toBe(false)
  expect(guard.died('x')).toBe(0)
})

test('starts that fail come ever later while others get tasks done, until a thread is ready or dies', () => {
  const guard = started(3)
  const delays = Array.from({ length: 5 }, () => {
    guard.progressed()
    return guard.failed('x', true)
  })
  expect(delays).toEqual([0, 10, 20, 40, 80])
  guard.started()
  guard.progressed()
  expect(guard.failed('x', true)).toBe(0)
  expect(guard.failed('x', true)).toBe(10)
  guard.progressed()
  guard.died('x')
  guard.progressed()
  expect(guard.failed('x', true)).toBe(0)
})

test('starts that fail where there are threads enough come ever later, and open nothing', () => {
  const guard = started(3)
  const delays = Array.from({ length: 6 }, () => guard.failed('x', false))
  expect(delays).toEqual([0, 10, 20, 40, 80, 160])
  expect([guard.state, guard.deaths, guard.lastError]).toEqual(['closed', 0, 'x'])
})

test('starts that fail open the breaker where no task is done in between', () => {
  const guard = started(3)
  guard.died('x')
  guard.failed('x', true)
  expect(guard.failed('x', true)).toBe('open')
})

test('the limit opens the breaker, a death while trying opens it again, a task closes it', () => {
  const guard = started(2)
  expect(guard.died('a')).toBe(0)
  expect(guard.died('b')).toBe('open')
  expect(guard.lastError).toBe('b')
  guard.retry()
  expect(guard.state).toBe('trying')
  expect(guard.died('c')).toBe('open')
  guard.retry()
  expect(guard.progressed()).toBe(true)
  expect(guard.state).toBe('closed')
})

test('a first start that fails is not tried ten times', () => {
  const guard = new CrashGuard({ crashLoopLimit: 10, crashLoopPauseMs: 100 })
  expect(guard.failed('no such module', true)).toBe('open')
})

test('a key is quarantined from its limit on, until it is released', () => {
  const quarantine = new Quarantine(2)
  expect([quarantine.add('a'), quarantine.has('a')]).toEqual([1, false])
  expect([quarantine.add('a'), quarantine.has('a')]).toEqual([2, true])
  expect(quarantine.keys).toEqual(['a'])
  quarantine.delete('a')
  expect(quarantine.has('a')).toBe(false)
})

test('a quarantine keeps the latest thousand keys', () => {
  const quarantine = new Quarantine(1)
  for (let key = 0; key <= 1000; key++) quarantine.add(`${key}`)
  expect([quarantine.has('0'), quarantine.has('1'), quarantine.has('1000')]).toEqual([
    false,
    true,
    true,
  ])
})
