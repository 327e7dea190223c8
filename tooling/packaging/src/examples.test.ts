import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
// All but the last run twice: on the workspace's Node and on the oldest one that users may have.

const packages = publishedPackages()
const project = mkdtempSync(join(tmpdir(), 'elkyn-examples-'))
const oldestNode = join(project, 'oldest-node')

beforeAll(() => {
  const tarballs = packages.map(({ directory }) => pack(directory, project))
  install(project, tarballs)
  install(oldestNode, [`node@${oldestSupportedNode()}`])
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
  await runFirstExample(directory)
})

test.each(packages)('the first example of $name runs on the oldest Node', async ({ directory }) => {
  await runFirstExample(directory, join(oldestNode, 'node_modules', '.bin'))
})

test('the terminal session in the root README runs as printed', async () => {
  await runSession(sessionOf(readReadme(workspaceRoot)), userIn(makeFolder(), workspaceRoot))
})

function install(folder: string, packagesToInstall: string[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packagesToInstall]
  execFileSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** What stands behind `>=` in the `engines` of all published packages: `22.12`, for example. */
function oldestSupportedNode(): string {
  const ranges = new Set(packages.map(({ directory }) => readManifest(directory).engines?.node))
  expect(ranges).toHaveLength(1)
  const [range = ''] = ranges
  expect(range).toMatch(/^>=/)
  return range.slice(2)
}

async function runFirstExample(directory: string, ...firstOnPath: string[]): Promise<void> {
  const readme = readReadme(directory)
  const folder = makeFolder()
  const user = userIn(folder, project, ...firstOnPath)
  const example = codeBlocks(readme).find(({ language }) => /^[jt]s$/.test(language))
  if (example === undefined) {
    await runSession(sessionOf(readme), user)
  } else {
    writeFileSync(join(folder, 'example.mjs'), example.code)
    execFileSync('node', ['example.mjs'], { ...user, cwd: folder, timeout: 60_000 })
  }
}

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

/** A folder of its own for each example, from which the installed packages can be imported. */
function makeFolder(): string {
  return mkdtempSync(join(project, 'example-'))
}

/** Somebody at a prompt in `cwd`, except that port and data folder are not the usual ones. */
function userIn(folder: string, cwd: string, ...firstOnPath: string[]): SessionOptions {
  // As if the packages had been installed globally.
  const installed = join(project, 'node_modules', '.bin')
  const PATH = [...firstOnPath, installed, process.env['PATH'] ?? ''].join(delimiter)
  const env = { ...process.env, PATH, ELKYN_PORT: '0', ELKYN_DATA_DIR: join(folder, 'data') }
  return { cwd, env }
}
