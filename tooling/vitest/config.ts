import { defineConfig } from 'vitest/config'

// Each package runs `vitest run --config ../../tooling/vitest/config.ts` in its own folder, which
// is then the root. The JSON file is what `npm test` adds up.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: true,
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results/vitest.json' },
    setupFiles: [new URL('./property-tests.ts', import.meta.url).pathname],
  },
})
