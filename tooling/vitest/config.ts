import { defineConfig } from 'vitest/config'

// Each package runs `vitest run --config ../../tooling/vitest/config.ts` in its own folder, which
// is then the root. The JSON file is what `npm test` adds up.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Only there to end a test that hangs: no test measures time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results/vitest.json' },
    setupFiles: [new URL('./property-tests.ts', import.meta.url).pathname],
  },
})
