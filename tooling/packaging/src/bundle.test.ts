import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

// A package as `bundle.ts` finds it: sources, and what tsc made of them.

const folder = mkdtempSync(join(tmpdir(), 'elkyn-bundle-'))
const tsc = join(import.meta.dirname, '../node_modules/.bin/tsc')

const sources = {
  'index.ts': `
import process from 'node:process'
import { shared } from './shared.ts'
export const pid: number = process.pid
export { shared }
export const workerUrl: URL = new URL('./worker.js', import.meta.url)`,
  'deep/worker.ts': `
import { shared } from '../shared.ts'
import { deepest } from './deepest.ts'
export const worker: unknown[] = [shared, deepest]`,
  'deep/deepest.ts': `
export function deepest(): never {
  throw new Error('thrown on purpose')
}`,
  'shared.ts': `
export const shared: object = {}`,
}

beforeAll(() => {
  for (const [name, text] of Object.entries(sources)) {
    mkdirSync(join(folder, 'src', name, '..'), { recursive: true })
    writeFileSync(join(folder, 'src', name), text)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(import.meta.dirname, '../../tsconfig/node.json'),
      compilerOptions: {
        rootDir: 'src',
        outDir: 'dist',
        typeRoots: [join(import.meta.dirname, '../node_modules/@types')],
      },
      include: ['src'],
    }),
  )
})

beforeEach(() => {
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  execFileSync(tsc, ['-p', folder], { stdio: 'inherit' })
})

afterAll(() => {
  rmSync(folder, { recursive: true })
})

test('there is a file for each entry and one for what they share, beside the declarations', () => {
  bundle('index', 'deep/worker')
  const files = readdirSync(join(folder, 'dist'), { recursive: true }).map(String)
  expect(files.filter((name) => name.endsWith('.js')).toSorted()).toEqual([
    'index.js',
    'shared.js',
    'worker.js',
  ])
  expect(files).toContain(join('deep', 'worker.d.ts'))
})

test('entries share their modules, and find each other by URL', () => {
  bundle('index', 'deep/worker')
  const output = run(`
    import { shared, pid, workerUrl } from './dist/index.js'
    const { worker } = await import(workerUrl.href)
    console.log(worker[0] === shared, pid === process.pid)`)
  expect(output.stdout).toBe('true true\n')
})

test('stack traces name functions, and lines of the sources', () => {
  bundle('index', 'deep/worker')
  const { stderr } = run(`
    import { worker } from './dist/worker.js'
    worker[1]()`)
  expect(stderr).toContain(`deepest (${join(folder, 'src/deep/deepest.ts')}:3:9)`)
})

test('process is not imported', () => {
  bundle('index')
  expect(readFileSync(join(folder, 'dist/index.js'), 'utf8')).not.toContain('node:process')
})

test('a module that is missing fails the build', () => {
  rmSync(join(folder, 'dist/shared.js'))
  expect(() => bundle('index')).toThrow('shared.js')
})

function bundle(...entries: string[]): void {
  execFileSync(process.execPath, [join(import.meta.dirname, 'bundle.ts'), ...entries], {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
  })
}

function run(code: string): { stdout: string; stderr: string } {
  const args = ['--enable-source-maps', '--input-type=module', '--eval', code]
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
}
