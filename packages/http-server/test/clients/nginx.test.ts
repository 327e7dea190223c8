import { MemoryTreeStore, fromJson, parsePath } from '@elkyn/tree'
import { Agent, EventSource } from 'undici'
import { expect, test } from 'vitest'
import { SimpleHttpServer } from '../../src/index.ts'
import { Nginx, hasNginx } from './nginx.ts'

const isInstalled = hasNginx()
if (!isInstalled) console.warn('SKIPPED: nginx is not installed, so no stream went through it')

test.skipIf(!isInstalled)(
  'each event goes through nginx as soon as it was sent, and a client may resume',
  async () => {
    const store = new MemoryTreeStore()
    await using server = new SimpleHttpServer({ store, port: 0, closeStore: true })
    await server.start()
    await using nginx = await Nginx.start(server.address().port)
    await using resources = new AsyncDisposableStack()
    const dispatcher = resources.adopt(
      new Agent({ connect: { socketPath: nginx.socketPath } }),
      (agent) => agent.destroy(),
    )

    const source = resources.adopt(
      new EventSource('http://nginx/a.json', { node: { dispatcher } }),
      (opened) => opened.close(),
    )
    expect((await nextPut(source)).data).toBe('{"path":"/","data":null}')
    let lastEventId = ''
    // Each waits for the one before, so that a buffer on the way would hold all of them.
    for (let value = 1; value <= 50; value++) {
      const told = nextPut(source)
      await store.write({ pairs: [{ path: parsePath('/a'), value: fromJson(value) }] })
      const event = await told
      expect(event.data).toBe(`{"path":"/","data":${value}}`)
      lastEventId = event.lastEventId
    }
    source.close()

    await store.write({ pairs: [{ path: parsePath('/a/b'), value: fromJson(true) }] })
    const url = `http://nginx/a.json?lastEventId=${encodeURIComponent(lastEventId)}`
    const resumed = resources.adopt(new EventSource(url, { node: { dispatcher } }), (opened) =>
      opened.close(),
    )
    expect((await nextPut(resumed)).data).toBe('{"path":"/b","data":true}')
  },
)

interface PutEvent {
  readonly data: string
  readonly lastEventId: string
}

function nextPut(source: EventSource): Promise<PutEvent> {
  const { promise, resolve } = Promise.withResolvers<PutEvent>()
  source.addEventListener('put', (event: unknown) => resolve(event as PutEvent), { once: true })
  return promise
}
