import { selfSigned } from '@elkyn/tooling-certificates'
import { MemoryTreeStore, fromJson, parsePath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { SimpleHttpServer } from '../../src/index.ts'
import { findChromium, launchChromium } from './chromium.ts'

const chromium = findChromium()
if (chromium === undefined) {
  console.warn('SKIPPED: Chromium is not installed, so no browser had a hundred streams')
}

const count = 100

test.skipIf(chromium === undefined)(
  'a browser holds a hundred streams over one connection of HTTP/2, and watches values',
  async () => {
    const store = new MemoryTreeStore()
    await using server = new SimpleHttpServer({
      store,
      port: 0,
      tls: selfSigned(),
      metrics: true,
      closeStore: true,
    })
    await server.start()
    await using browser = await launchChromium(chromium ?? '')
    const page = await browser.newPage({ ignoreHTTPSErrors: true })
    await page.goto(`${server.address().url}/.health`)
    // All are open before anything is written, and each is told of its own place.
    await page.evaluate(`
      const opened = []
      window.values = []
      for (let number = 0; number < ${count}; number++) {
        const source = new EventSource('/rooms/' + number + '/.watch')
        opened.push(new Promise((resolve) => {
          source.onmessage = ({ data }) => {
            resolve()
            values[number] = JSON.parse(data)
          }
        }))
      }
      Promise.all(opened)`)
    const rooms = Object.fromEntries(Array.from({ length: count }, (_, number) => [number, number]))
    await store.write({ pairs: [{ path: parsePath('/rooms'), value: fromJson(rooms) }] })
    await page.waitForFunction(`values.every((value, number) => value === number)`)
    const metrics = await page.evaluate(`fetch('/.metrics').then((answer) => answer.text())`)
    expect(metrics).toContain('elkyn_http_connections 1\n')
  },
)
