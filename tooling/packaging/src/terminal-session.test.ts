import process from 'node:process'
import { expect, test } from 'vitest'
import { runSession, terminalSession } from './terminal-session.ts'

const options = { cwd: import.meta.dirname, env: process.env }

test('terminalSession() reads commands and their output from console blocks', () => {
  const markdown =
    '```console\n$ echo a \\\n  b\na b\n\n$ true\n```\n```sh\nrm -r x\n```\n```console\n$ pwd\n/\n```\n'
  expect(terminalSession(markdown)).toEqual([
    { command: 'echo a   b', output: 'a b' },
    { command: 'true', output: '' },
    { command: 'pwd', output: '/' },
  ])
})

test('runSession() rejects when a command prints something else', async () => {
  await runSession([{ command: 'echo a', output: 'a' }], options)
  await expect(runSession([{ command: 'echo a', output: 'b' }], options)).rejects.toThrow(
    'instead of',
  )
})

test('runSession() sends commands to the address that the server really has', async () => {
  const server = `node -e "console.log('Listening on'.toLowerCase(), 'http://127.0.0.1:4711'); setInterval(() => {}, 1000)"`
  await runSession(
    [
      { command: server, output: 'listening on http://127.0.0.1:8080' },
      { command: 'echo 127.0.0.1:8080/a', output: '127.0.0.1:8080/a' },
    ],
    options,
  )
  await expect(
    runSession(
      [
        { command: server, output: 'listening on http://127.0.0.1:8080' },
        { command: `echo 127.0.0.1:8080 | tr 4 9`, output: '127.0.0.1:8080' },
      ],
      options,
    ),
  ).rejects.toThrow('127.0.0.1:9711')
})

test('runSession() rejects when a server ends before it listens', async () => {
  const session = [{ command: 'true', output: 'listening on http://127.0.0.1:8080' }]
  await expect(runSession(session, options)).rejects.toThrow('ended before it listened')
})
