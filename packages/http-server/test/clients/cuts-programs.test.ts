import { spawnSync } from 'node:child_process'
import { MemoryTreeStore } from '@elkyn/tree'
import { test } from 'vitest'
import { SimpleHttpServer } from '../../src/index.ts'
import { findChromium, launchChromium } from './chromium.ts'
import { curlClient } from './clients.ts'
import { watchInMemoryUnderCuts } from './watch-under-cuts.ts'

// Clients that run in processes of their own.

const hasCurl = spawnSync('curl', ['--version']).status === 0
if (!hasCurl) console.warn('SKIPPED: curl is not installed, so no stream was cut under it')
const chromium = findChromium()
if (chromium === undefined) {
  console.warn('SKIPPED: Chromium is not installed, so no stream was cut under a browser')
}

test.skipIf(!hasCurl)('curl -N misses nothing and gets nothing twice', async () => {
  await watchInMemoryUnderCuts(curlClient)
})

test.skipIf(chromium === undefined)(
  'the EventSource of a browser misses nothing and gets nothing twice',
  async () => {
    // A page that may ask for what is on this machine.
    await using home = new SimpleHttpServer({ store: new MemoryTreeStore(), port: 0 })
    await home.start()
    await using browser = await launchChromium(chromium ?? '')
    const page = await browser.newPage()
    await page.goto(`${home.address().url}/.health`)
    let take = (_data: string): void => {}
    await page.exposeFunction('takePuts', (all: string[]) => {
      for (const data of all) take(data)
    })
    await watchInMemoryUnderCuts((url, onPut) => {
      take = onPut
      // A call from the page takes longer than an event: what comes during one is told in the next.
      void page.evaluate(`
        const waiting = []
        let isTelling = false
        async function tell() {
          isTelling = true
          while (waiting.length > 0) await takePuts(waiting.splice(0))
          isTelling = false
        }
        const source = new EventSource(${JSON.stringify(url)})
        source.addEventListener('put', ({ data }) => {
          waiting.push(data)
          if (!isTelling) void tell()
        })`)
      return { [Symbol.dispose]: () => (take = () => {}) }
    })
  },
)
