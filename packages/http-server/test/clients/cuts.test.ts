import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import { Pool } from 'undici'
import { expect, test } from 'vitest'
import { ThreadPoolHttpServer } from '../../src/index.ts'
import { clients } from './clients.ts'
import { Nginx, hasNginx } from './nginx.ts'
import { watchInMemoryUnderCuts, watchUnderCuts } from './watch-under-cuts.ts'

const isNginxInstalled = hasNginx()
if (!isNginxInstalled) {
  console.warn('SKIPPED: nginx is not installed, so no stream was cut behind it')
}
test.each(Object.keys(clients))('%s misses nothing and gets nothing twice', async (name) => {
  const client = clients[name]
  if (client === undefined) throw new Error(`There is no ${name}`)
  await watchInMemoryUnderCuts(client)
})

test.skipIf(!isNginxInstalled)(
  'a client behind nginx misses nothing and gets nothing twice',
  async () => {
    await using resources = new AsyncDisposableStack()
    await watchInMemoryUnderCuts(clients['eventsource']!, async (port) => {
      const { socketPath } = resources.use(await Nginx.start(port))
      return { path: socketPath }
    })
  },
)

test('a server with threads loses and doubles nothing either', async () => {
  await using resources = new AsyncDisposableStack()
  const path = await mkdtemp(join(tmpdir(), 'elkyn-cuts-'))
  resources.defer(() => rm(path, { recursive: true }))
  const server = resources.use(
    new ThreadPoolHttpServer({ store: lmdbStorage({ path }), port: 0, threads: 2 }),
  )
  await server.start()
  const { port, url } = server.address()
  const writer = resources.adopt(new Pool(url, { connections: 1 }), (pool) => pool.destroy())
  await watchUnderCuts(clients['eventsource']!, {
    server: { port },
    async add(items) {
      const [sole] = items.length === 1 ? items : []
      // An update of children of the place would be a `patch`, for which nobody listens here.
      const [method, target, value] =
        sole === undefined
          ? (['PATCH', '/log.json', Object.fromEntries(items)] as const)
          : (['PUT', `/log/${sole[0]}.json`, sole[1]] as const)
      const body = JSON.stringify(value)
      const answer = await writer.request({ method, path: target, body })
      expect(await answer.body.text()).toBe(body)
    },
  })
})
