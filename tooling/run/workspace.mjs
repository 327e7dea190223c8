// What `npm start` and `npm test` share. They run on whatever Node a person has (20 or later) and
// before anything is installed, so these files are plain JavaScript and import only from Node.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

const bin = join(root, 'node_modules', '.bin')
const stampFile = join(root, 'node_modules', '.install-stamp')

/** The pinned Node of the workspace. It runs the TypeScript sources as they are. */
export const node = join(root, 'node_modules', 'node', 'bin', 'node')

/**
 * Installs the dependencies unless what is installed came from the same lockfile, on the same kind
 * of machine. Says what it does, and why it fails, on standard error.
 * @returns {boolean} whether everything is there
 */
export function installIfNeeded() {
  const stamp = installStamp()
  if (readIfThere(stampFile) === stamp) return true
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  console.error(`Installing the dependencies with ${packageManager} ...`)
  rmSync(stampFile, { force: true })
  // Standard output belongs to what comes after: the server's one line, or the tests' report.
  // Errors only: pnpm would warn for each package that this Node is too old for, and the pinned one
  // is on its way.
  const args = ['--yes', packageManager, 'install', '--frozen-lockfile', '--loglevel=error']
  const install = spawnSync('npx', args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (install.status !== 0) {
    console.error('Cannot install the dependencies: see the messages above')
    return false
  }
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stampFile, stamp)
  return true
}

/**
 * Runs one of the workspace's tools and shows its output.
 * @param {string} command a name in `node_modules/.bin`
 * @param {string[]} args
 * @returns {boolean} whether it ended with exit code 0
 */
export function run(command, args) {
  const env = {
    ...process.env,
    // The pinned Node and the workspace's tools come first.
    PATH: bin + delimiter + (process.env['PATH'] ?? ''),
    DO_NOT_TRACK: '1',
    TURBO_TELEMETRY_DISABLED: '1',
  }
  return spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }).status === 0
}

function installStamp() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`)
  for (const file of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml']) {
    hash.update(readFileSync(join(root, file)))
  }
  return hash.digest('hex')
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
