import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The installed Chromium, or `undefined`. `ELKYN_TEST_CHROMIUM` may name another one. */
export function findChromium(): string | undefined {
  const given = process.env['ELKYN_TEST_CHROMIUM']
  return [...(given === undefined ? [] : [given]), ...names].find(
    (name) => spawnSync(name, ['--version']).status === 0,
  )
}

/** Starts a Chromium without a window. */
export function launchChromium(name: string): Promise<Browser> {
  const found = spawnSync('sh', ['-c', 'command -v "$0"', name], { encoding: 'utf8' })
  return chromium.launch({
    executablePath: found.stdout.trim() || name,
    // Its sandbox does not work for root, nor in most containers. Only pages of these tests are opened.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
}
