import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { codeBlocks } from './code-blocks.ts'
import { pack } from './pack.ts'
import { publishedPackages, readManifest, workspaceRoot } from './published-packages.ts'
import { runSession, terminalSession } from './terminal-session.ts'
import type { SessionOptions, Step } from './terminal-session.ts'

// What a new user does: install the packages with npm in an empty project, then try what each
// README shows first. For a library that is its first `js` or `ts` block, run as plain JavaScript;
// a README without one shows a terminal session (see terminal-session.ts), as the root README does.

const packages = publishedPackages()
const project = mkdtempSync(join(tmpdir(), 'elkyn-examples-'))

beforeAll(() => {
  const tarballs = packages.map(({ directory }) => pack(directory, project))
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs]
  execFileSync('npm', args, { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] })
})

afterAll(() => {
  rmSync(project, { recursive: true })
})

test('every published package is a devDependency here, so that it is built before', () => {
  const known = Object.keys(
    readManifest(join(workspaceRoot, 'tooling/packaging')).devDependencies ?? {},
  )
  expect(known).toEqual(expect.arrayContaining(packages.map(({ name }) => name)))
})

test.each(packages)('the first example in the README of $name runs', async ({ directory }) => {
  const readme = readReadme(directory)
  const example = codeBlocks(readme).find(({ language }) => /^[jt]s$/.test(language))
  if (example === undefined) await runSession(sessionOf(readme), userIn(makeFolder(), project))
  else runProgram(example.code)
})

test('the terminal session in the root README runs as printed', async () => {
  await runSession(sessionOf(readReadme(workspaceRoot)), userIn(makeFolder(), workspaceRoot))
})

function readReadme(directory: string): string {
  const path = join(directory, 'README.md')
  if (!existsSync(path)) throw new Error(`Cannot run an example: "${path}" does not exist`)
  return readFileSync(path, 'utf8')
}

function sessionOf(readme: string): Step[] {
  const session = terminalSession(readme)
  if (session.length === 0) {
    throw new Error('Cannot run an example: the README has no `js`, `ts` or `console` block')
  }
  return session
}

function runProgram(code: string): void {
  const folder = makeFolder()
  writeFileSync(join(folder, 'example.mjs'), code)
  execFileSync('node', ['example.mjs'], { cwd: folder, timeout: 60_000 })
}

/** A folder of its own for each example, from which the installed packages can be imported. */
function makeFolder(): string {
  return mkdtempSync(join(project, 'example-'))
}

/** Somebody at a prompt in `cwd`, except that port and data folder are not the usual ones. */
function userIn(folder: string, cwd: string): SessionOptions {
  // As if the packages had been installed globally.
  const PATH = join(project, 'node_modules', '.bin') + delimiter + (process.env['PATH'] ?? '')
  const env = { ...process.env, PATH, ELKYN_PORT: '0', ELKYN_DATA_DIR: join(folder, 'data') }
  return { cwd, env }
}
