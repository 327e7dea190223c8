import { readFileSync } from 'node:fs'

/** The version of this package. */
export const version: string = readVersion()

// The manifest lies one level above this file, in `src` as in `dist`.
function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const manifest = JSON.parse(text) as { version: string }
  return manifest.version
}
