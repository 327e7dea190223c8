// The second half of a published package's `build` script, run in its folder: puts the modules that tsc has left in
// `dist` together into one file for each module named by the arguments, and one for each set of modules that several
// of those share. `bundle.ts index worker pool/reader-worker` makes `dist/index.js`, `dist/worker.js` and
// `dist/reader-worker.js`: all lie side by side, as a URL that one module makes for another one expects.
import { existsSync, readFileSync } from 'node:fs'
import { glob, rm, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import process from 'node:process'
import { rolldown } from 'rolldown'
import type { OutputAsset, OutputChunk } from 'rolldown'

// The global is the same. To import it takes each thread 5 ms, because that reads all of its properties.
const processImport = /^import process from 'node:process';$/m

const dist = resolve('dist')
const entries = new Map(process.argv.slice(2).map((module) => [basename(module), module]))
const files = await bundle()
checkNames(files)
for await (const compiled of glob('**/*.js{,.map}', { cwd: dist })) await rm(join(dist, compiled))
for (const file of files) {
  await writeFile(join(dist, file.fileName), file.type === 'chunk' ? file.code : file.source)
}

async function bundle(): Promise<readonly (OutputChunk | OutputAsset)[]> {
  await using build = await rolldown({
    input: Object.fromEntries(
      [...entries].map(([name, module]) => [name, join(dist, `${module}.js`)]),
    ),
    platform: 'neutral',
    // Only what is ours and in this package: no package is copied into another one.
    external: (id) => !id.startsWith('.') && !id.startsWith(dist),
    plugins: [{ name: 'source-maps', load: compiledModule }],
    onLog(_level, { message }) {
      throw new Error(`Cannot bundle: ${message}`)
    },
  })
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    minifyInternalExports: false,
    // Stack traces name the sources, which are published too.
    sourcemap: true,
    sourcemapExcludeSources: true,
  })
  return output
}

/** A module as tsc made it, with its way back to the source. */
function compiledModule(path: string): { code: string; map: string } | undefined {
  if (!existsSync(`${path}.map`)) return undefined
  const code = readFileSync(path, 'utf8').replace(processImport, (line) => ' '.repeat(line.length))
  return { code, map: readFileSync(`${path}.map`, 'utf8') }
}

/** A module that was renamed would not be found by whoever names it. */
function checkNames(output: readonly { readonly fileName: string }[]): void {
  const names = new Set(output.map(({ fileName }) => fileName))
  for (const [name, module] of entries) {
    if (!names.has(`${name}.js`)) throw new Error(`Cannot bundle: no file for "${module}" came out`)
  }
}
