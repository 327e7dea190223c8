import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './longest-first.ts'

// Threads and programs that tests start run the sources as they are. Without a cache each of them strips the types
// anew, in WebAssembly, which takes most of the time of such tests, and V8 now and then ends the process when many
// threads do so and go: https://github.com/nodejs/node/issues/64500
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../../node_modules/.cache/compiled/', import.meta.url),
)

// Each package runs `vitest run --config ../../tooling/vitest/config.ts` in its own folder, which
// is then the root. The JSON file is what `npm test` adds up.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Only there to end a test that hangs: no test measures time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Vitest would leave a core free, and `npm test` tests one package at a time.
    maxWorkers: '100%',
    sequence: { sequencer: LongestFirst },
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results/vitest.json' },
    setupFiles: [new URL('./property-tests.ts', import.meta.url).pathname],
  },
})
