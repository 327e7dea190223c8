import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { CommandError } from './command-error.ts'
import { openJsonArgument } from './json-input.ts'

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
