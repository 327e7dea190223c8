import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { createLog } from './log.ts'

function collect(isTTY: boolean) {
  const lines: string[] = []
  return { lines, stream: { isTTY, write: (text: string) => lines.push(text) } }
}

test('createLog() writes JSON lines to what is no terminal', () => {
  const { lines, stream } = collect(false)
  createLog('info', stream).info({ url: 'http://127.0.0.1:1' }, 'listening')
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    url: 'http://127.0.0.1:1',
    msg: 'listening',
  })
})

test('createLog() writes words to a terminal', () => {
  const { lines, stream } = collect(true)
  createLog('info', stream).warn({ host: '0.0.0.0', open: true }, 'everybody can read')
  expect(stripVTControlCharacters(lines[0] ?? '')).toMatch(
    /^\d\d:\d\d:\d\d {2}warn {3}everybody can read {2}host=0\.0\.0\.0 {2}open=true\n$/,
  )
})

test('createLog() shows the stack of an error on a terminal', () => {
  const { lines, stream } = collect(true)
  createLog('info', stream).error({ err: new Error('broken') }, 'failed')
  expect(stripVTControlCharacters(lines[0] ?? '')).toMatch(/failed\nError: broken\n {4}at /)
})

test('createLog() leaves out what is below its level', () => {
  const { lines, stream } = collect(false)
  createLog('warn', stream).info('listening')
  expect(lines).toEqual([])
})
