import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { CommandError } from './command-error.ts'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { openJsonArgument, readInput } from './json-input.ts'

test.each(["it's", 'plain', '$HOME `x`'])(
  'the way out for %s is a word for a shell',
  (argument) => {
    let hint = ''
    try {
      openJsonArgument(argument)
    } catch (error) {
      hint = (error as CommandError).hint ?? ''
    }
    const word = hint.replace('A string needs its quotes: ', '')
    const given = execFileSync('sh', ['-c', `printf %s ${word}`]).toString()
    expect(JSON.parse(given)).toBe(argument)
  },
)

test('readInput() ends at a signal while it waits for somebody to open a pipe', async () => {
  await using folder = await temporaryFolder()
  execFileSync('mkfifo', [folder.file('pipe')])
  const controller = new AbortController()
  const first = readInput(folder.file('pipe'), controller).next()
  controller.abort(new Error('stopped'))
  await expect(first).rejects.toMatchObject({ code: 'ABORT_ERR' })
})
