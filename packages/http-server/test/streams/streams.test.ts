import { once } from 'node:events'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { EventClient } from './event-client.ts'
import { Mirror, plain } from './mirror.ts'
import { StreamServer, serverKinds } from './servers.ts'

const put = (path: string, data: unknown): string => `put ${JSON.stringify({ path, data })}`
const patch = (path: string, data: unknown): string => `patch ${JSON.stringify({ path, data })}`

/** Waits for the first event, and gives the stream. */
async function opened(server: StreamServer, target: string, id?: string): Promise<EventClient> {
  const headers: Record<string, string> = id === undefined ? {} : { 'last-event-id': id }
  const client = await server.open(target, { headers })
  if (id === undefined) await client.next()
  return client
}

/** Opens a stream of many subscriptions, and gives it with its name. */
async function openedNamed(
  server: StreamServer,
  subscriptions: Readonly<Record<string, string>>,
  target = '/.streams',
): Promise<{ readonly stream: EventClient; readonly id: string }> {
  const body = JSON.stringify(subscriptions)
  const stream = await server.open(target, { method: 'POST', body })
  const { data } = await stream.next()
  const { stream: id } = JSON.parse(data) as { stream: string }
  return { stream, id }
}

describe.each(serverKinds)('streams (%s)', (kind) => {
  test('a stream has the headers that keep it open and as it is', async () => {
    await using server = await StreamServer.start(kind)
    const { message } = await server.open('/a.json')
    expect(message.statusCode).toBe(200)
    expect(message.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': '*',
    })
    expect(message.headers['content-length']).toBe(undefined)
  })

  test('streams at and below a written path are told', async () => {
    await using server = await StreamServer.start(kind)
    const a = await server.open('/a.json')
    const ab = await server.open('/a/b')
    expect(await a.take(1)).toEqual([put('/', null)])
    expect(await ab.take(1)).toEqual([put('/', null)])
    await server.send('PUT', '/a.json', { b: 1 })
    expect(await a.take(1)).toEqual([put('/', { b: 1 })])
    expect(await ab.take(1)).toEqual([put('/', 1)])
    await server.send('PATCH', '/a.json', { b: 2, c: 3 })
    expect(await a.take(1)).toEqual([patch('/', { b: 2, c: 3 })])
    expect(await ab.take(1)).toEqual([put('/', 2)])
    await server.send('DELETE', '/a.json')
    expect(await a.take(1)).toEqual([put('/', null)])
    expect(await ab.take(1)).toEqual([put('/', null)])
  })

  test('a stream above a written path is told where', async () => {
    await using server = await StreamServer.start(kind)
    const root = await opened(server, '/.json')
    await server.send('PUT', '/a/b/c.json', [1, 2])
    await server.send('PATCH', '/a/b.json', { d: 1 })
    await server.send('PATCH', '/a/b.json', { d: null, 'e/f': 2 })
    await server.send('DELETE', '/a/b/c.json')
    expect(await root.take(5)).toEqual([
      put('/a/b/c', [1, 2]),
      patch('/a/b', { d: 1 }),
      // What an update deletes comes behind what it sets.
      put('/a/b/e/f', 2),
      put('/a/b/d', null),
      put('/a/b/c', null),
    ])
  })

  test('an update of paths tells each stream its part, and others nothing', async () => {
    await using server = await StreamServer.start(kind)
    const ab = await opened(server, '/a/b.json')
    const x = await opened(server, '/x.json')
    const y = await opened(server, '/y.json')
    await server.send('PATCH', '/.json', { 'a/b': 3, x: 1 })
    await server.send('PUT', '/y.json', 'last')
    expect(await ab.take(1)).toEqual([put('/', 3)])
    expect(await x.take(1)).toEqual([put('/', 1)])
    expect(await y.take(1)).toEqual([put('/', 'last')])
  })

  test('a stream of a list is told the key of a new child', async () => {
    await using server = await StreamServer.start(kind)
    const list = await opened(server, '/l.json')
    const { name } = JSON.parse(await server.send('POST', '/l.json', 5)) as { name: string }
    expect(await list.take(1)).toEqual([put(`/${name}`, 5)])
  })

  test('a path that only begins alike is another one', async () => {
    await using server = await StreamServer.start(kind)
    const users = await opened(server, '/users.json')
    await server.send('PUT', '/users2.json', 1)
    await server.send('PUT', '/users/x.json', 2)
    expect(await users.take(1)).toEqual([put('/x', 2)])
  })

  test('a priority shows with format=export only', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/a.json', { b: 1 })
    const plainOne = await opened(server, '/a.json')
    const ranked = await opened(server, '/a.json?format=export')
    const priority = await server.open('/a/.priority.json')
    expect(await priority.take(1)).toEqual([put('/', null)])
    await server.send('PUT', '/a/.priority.json', 7)
    await server.send('PUT', '/a/b.json', 2)
    expect(await plainOne.take(1)).toEqual([put('/b', 2)])
    expect(await ranked.take(2)).toEqual([put('/.priority', 7), put('/b', 2)])
    expect(await priority.take(1)).toEqual([put('/', 7)])
  })

  test('/.watch sends whole values, unnamed, also of the root', async () => {
    await using server = await StreamServer.start(kind)
    const a = await server.open('/a/.watch', { headers: { accept: '*/*' } })
    const root = await server.open('/.watch')
    expect(await a.take(1)).toEqual(['message null'])
    expect(await root.take(1)).toEqual(['message null'])
    await server.send('PUT', '/a/b.json', 1)
    expect(await a.take(1)).toEqual(['message {"b":1}'])
    expect(await root.take(1)).toEqual(['message {"a":{"b":1}}'])
  })

  test('/.watch of a query sends whole results, unnamed, and each only when it has changed', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/l.json', { a: 1, b: 2, c: 3 })
    const query = 'orderBy="$key"&limitToFirst=2'
    const stream = await server.open(`/l/.watch?${query}`)
    const named = await openedNamed(server, { w: `/l/.watch?${query}` })
    const told = (data: unknown) => ({
      event: 'value',
      data: expect.stringMatching(
        `^{"subscription":"w",.*"data":${JSON.stringify(data)}}$`,
      ) as string,
    })
    expect(await stream.take(1)).toEqual(['message {"a":1,"b":2}'])
    expect(await named.stream.next()).toMatchObject(told({ a: 1, b: 2 }))
    await server.send('PUT', '/l/c.json', 4)
    await server.send('PUT', '/l/a.json', 5)
    expect(await stream.take(1)).toEqual(['message {"a":5,"b":2}'])
    expect(await named.stream.next()).toMatchObject(told({ a: 5, b: 2 }))
    const id = stream.lastEventId
    await server.send('DELETE', '/l/a.json')
    expect(await stream.take(1)).toEqual(['message {"b":2,"c":4}'])
    const resumed = await opened(server, `/l/.watch?${query}`, id)
    expect(await resumed.take(1)).toEqual(['message {"b":2,"c":4}'])
  })

  test('a window of children moves as it does in the production service', async () => {
    await using server = await StreamServer.start(kind)
    for (const key of ['_4', '_5', '_6', '_7']) await server.send('PUT', `/l/${key}.json`, { key })
    const query = '/l.json?orderBy="$key"&startAt="_6"&limitToFirst=4'
    const stream = await server.open(query)
    expect(await stream.take(1)).toEqual([put('/', { _6: { key: '_6' }, _7: { key: '_7' } })])
    for (const key of ['_12', '_11', '_10', '_9']) await server.send('PUT', `/l/${key}.json`, 1)
    expect(await stream.take(1)).toEqual([put('/_9', 1)])
    await server.send('PUT', '/l/_8.json', 1)
    expect(await stream.take(1)).toEqual([put('/_8', 1)])
    await server.send('PATCH', '/l/_7.json', { extra: true })
    expect(await stream.take(1)).toEqual([patch('/_7', { extra: true })])
    await server.send('DELETE', '/l/_10.json')
    await server.send('DELETE', '/l/_9.json')
    expect(await stream.take(1)).toEqual([put('/_9', null)])
  })

  test('a child that enters comes whole, with the one that leaves for it', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/t.json', { a: { n: 1 }, b: { n: 2, deep: { x: 1 } } })
    const stream = await opened(server, '/t.json?orderBy="n"&limitToFirst=1')
    await server.send('PUT', '/t/b/n.json', 0)
    expect(await stream.take(1)).toEqual([patch('/', { a: null, b: { deep: { x: 1 }, n: 0 } })])
  })

  test('a query without its index is an error, and no stream', async () => {
    await using server = await StreamServer.start(kind)
    const stream = await server.open('/other.json?orderBy="age"')
    expect(stream.status).toBe(400)
    await stream.ended()
    expect(stream.text).toContain('Index not defined')
  })

  test('what cannot be shown any more is told, ends nothing else, and is refused to who asks again', async () => {
    await using server = await StreamServer.start(kind)
    const long = 'x'.repeat(300)
    await server.send('PUT', '/t.json', { a: { n: long }, b: { n: `${long}b` } })
    const first = '/t.json?orderBy="n"&limitToFirst=1&cursor='
    const { cursor } = (await server.read(first)) as { cursor: string }
    const next = `${first}${cursor}`
    const stream = await opened(server, next)
    const { stream: many, id } = await openedNamed(server, { next, other: '/other.json' })
    await many.take(2)
    // The cursor stands behind a text that is too long to be in it.
    await server.send('PUT', '/t/a/n.json', `${long}c`)
    const why = 'Cannot use the cursor: the long text that it stands behind has changed. Begin anew'
    expect(await stream.take(1)).toEqual([`cancel ${JSON.stringify(why)}`])
    await stream.ended()
    const error = (subscription: string): string =>
      `error ${JSON.stringify({ subscription, status: 400, error: why })}`
    expect(await many.take(1)).toEqual([error('next')])
    expect((await server.open(next)).status).toBe(400)
    await server.send('PATCH', `/.streams/${id}`, { again: next })
    expect(await many.take(1)).toEqual([error('again')])
    await server.send('PUT', '/other.json', 1)
    expect((await many.next()).data).toContain('"subscription":"other"')
    expect(await server.metric('elkyn_stream_subscriptions')).toBe(1)
  })

  test('HEAD and OPTIONS open no stream', async () => {
    await using server = await StreamServer.start(kind)
    for (const method of ['HEAD', 'OPTIONS']) {
      for (const target of ['/a.json', '/a/.watch']) {
        const answer = await server.open(target, { method })
        await answer.ended()
        expect(answer.text).toBe('')
      }
    }
    expect(await server.metric('elkyn_streams')).toBe(0)
  })

  test('HEAD answers as GET does where a stream is refused', async () => {
    await using server = await StreamServer.start(kind)
    for (const [target, status] of [
      ['/t/.watch?orderBy="n"', 200],
      ['/t/.watch?orderBy="zz"', 400],
      ['/t/.watch?orderBy=', 400],
    ] as const) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await server.open(target, { method })
        expect([target, method, answer.status]).toEqual([target, method, status])
        answer.cut()
      }
    }
  })

  test('a stream goes on behind the last event, in the middle of a change too', async () => {
    await using server = await StreamServer.start(kind)
    const first = await opened(server, '/a.json')
    await server.send('PATCH', '/.json', { 'a/b/c': 1, 'a/d': 2, 'a/e/f': 3 })
    const events = [await first.next(), await first.next(), await first.next()]
    first.cut()
    await server.send('PUT', '/a/g.json', 4)
    for (const [index, { lastEventId }] of events.entries()) {
      const again = await opened(server, '/a.json', lastEventId)
      const rest = events.slice(index + 1).map(({ event, data }) => `${event} ${data}`)
      expect(await again.take(rest.length + 1)).toEqual([...rest, put('/g', 4)])
    }
    const byParameter = await server.open(`/a.json?lastEventId=${events[2]!.lastEventId}`)
    expect(await byParameter.take(1)).toEqual([put('/g', 4)])
  })

  test('queries and values go on with nothing if nothing has changed', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/t.json', { a: { n: 1 } })
    for (const target of ['/t/.watch', '/t.json?orderBy="n"']) {
      const before = await server.open(target)
      const { lastEventId } = await before.next()
      before.cut()
      await server.send('PUT', '/elsewhere.json', Math.random())
      const again = await opened(server, target, lastEventId)
      await server.send('PUT', '/t/b.json', { n: Math.random() })
      const { data } = await again.next()
      expect(data).toContain('"n":0.')
      again.cut()
      const late = await server.open(target, { headers: { 'last-event-id': lastEventId } })
      expect((await late.next()).data).toContain('"a":{"n":1}')
    }
  })

  test('an id from another history begins anew', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/a.json', 1)
    for (const id of ['nonsense', 'epoch-1-abc', '-1', '0']) {
      const stream = await server.open('/a.json', { headers: { 'last-event-id': id } })
      expect(await stream.take(1)).toEqual([put('/', 1)])
    }
  })

  test('strings of any kind arrive as they are', async () => {
    await using server = await StreamServer.start(kind)
    const stream = await opened(server, '/s.json')
    const texts = [
      'a\nb\r\nc\rd',
      '\u2028\u2029',
      '😀',
      '\ufeffbom',
      '\u0000',
      'data: x\n\nevent: y',
    ]
    texts.push('x'.repeat(1024 * 1024 - 10), 'ü'.repeat(100_000))
    for (const text of texts) {
      await server.send('PUT', '/s.json', text)
      expect(JSON.parse((await stream.next()).data)).toEqual({ path: '/', data: text })
    }
    await server.send('PUT', '/s.json', { 'käy "quoted"': { ':': 1 } })
    expect(await stream.take(1)).toEqual([put('/', { 'käy "quoted"': { ':': 1 } })])
  })

  test('a value too large for one piece is streamed whole, and then followed', async () => {
    await using server = await StreamServer.start(kind)
    const large = Object.fromEntries(
      Array.from({ length: 3000 }, (_item, index) => [`k${index}`, 'x'.repeat(1000)]),
    )
    await server.send('PUT', '/big.json', large)
    const stream = await server.open('/big.json')
    const watched = await server.open('/big/.watch')
    const mirror = new Mirror()
    mirror.apply(await stream.next())
    expect(mirror.value).toEqual(large)
    expect(JSON.parse((await watched.next()).data)).toEqual(large)
    await server.send('PUT', '/big/k1.json', 'y'.repeat(200_000))
    await server.send('PUT', '/big/k2.json', 'z')
    mirror.apply(await stream.next())
    mirror.apply(await stream.next())
    expect(mirror.value).toEqual(plain(await server.read('/big.json')))
  })

  test('a large child that enters a window comes with the whole result, and not in one piece with its name', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/l.json', { a: 1, b: 2 })
    const stream = await opened(server, '/l.json?orderBy="$key"&limitToLast=1')
    const large = Array.from({ length: 3000 }, () => 'x'.repeat(1000))
    await server.send('PUT', '/l/c.json', large)
    expect(await stream.take(1)).toEqual([put('/', { c: large })])
    await server.send('DELETE', '/l/c.json')
    expect(await stream.take(1)).toEqual([patch('/', { c: null, b: 2 })])
  })

  test('a large result is sent once, whatever is written while it is on its way', async () => {
    await using server = await StreamServer.start(kind)
    const large = Array.from({ length: 600 }, (_, index) => [`k${index}`, 'x'.repeat(1000)])
    await server.send('PUT', '/l.json', Object.fromEntries(large))
    const query = '/l.json?orderBy="$key"&limitToLast=590'
    const stream = await server.open(query)
    const mirror = new Mirror()
    const wholes: string[] = []
    const write = async (): Promise<void> => {
      for (let index = 0; index < 40; index++) {
        await server.send('PUT', `/l/k${index % 7}${index % 3 === 0 ? '/new' : ''}.json`, index)
      }
      await server.send('PUT', '/l/zLast.json', 1)
    }
    const written = write()
    for (let isLast = false; !isLast;) {
      const event = await stream.next()
      mirror.apply(event)
      if (event.data.startsWith('{"path":"/","data":') && event.event === 'put') {
        wholes.push(event.data.slice(0, 40))
      }
      isLast = event.data.includes('zLast')
    }
    await written
    expect(mirror.value).toEqual(plain(await server.read(query)))
    expect(wholes).toHaveLength(1)
  })

  test('two subscriptions of one stream to the same large value get it one after the other', async () => {
    await using server = await StreamServer.start(kind)
    const large = Array.from({ length: 3000 }, () => 'x'.repeat(1000))
    await server.send('PUT', '/large.json', large)
    const { stream } = await openedNamed(server, {
      p: '/large.json',
      q: '/large.json',
      w: '/large/.watch',
      x: '/large/.watch',
    })
    const names: string[] = []
    while (names.length < 4) {
      const { event, data } = await stream.next()
      const told = JSON.parse(data) as Record<string, unknown>
      expect(told['data']).toEqual(large)
      names.push(`${event} ${String(told['subscription'])}`)
    }
    expect(names.toSorted()).toEqual(['put p', 'put q', 'value w', 'value x'])
  })

  test('a write in more than the log holds is told by the whole value', async () => {
    await using server = await StreamServer.start(kind)
    const stream = await opened(server, '/h.json')
    const value = { t: 'x'.repeat(1_500_000), u: 1 }
    await server.send('PUT', '/h.json', value)
    expect(JSON.parse((await stream.next()).data)).toEqual({ path: '/', data: value })
    await server.send('PUT', '/h/u.json', 2)
    expect(await stream.take(1)).toEqual([put('/u', 2)])
  })

  test('a client that goes is forgotten', async () => {
    await using server = await StreamServer.start(kind)
    const streams = await Promise.all(
      ['/a.json', '/.watch', '/t.json?orderBy="n"'].map((target) => opened(server, target)),
    )
    expect(await server.metric('elkyn_streams')).toBe(3)
    for (const stream of streams) stream.cut()
    for (const stream of streams) await stream.ended()
    while ((await server.metric('elkyn_streams')) > 0);
    expect(await server.metric('elkyn_stream_subscriptions')).toBe(0)
  })

  test('an idle stream is kept alive, with an id that keeps up', async () => {
    await using server = await StreamServer.start(kind, { streams: { keepAliveMs: 20 } })
    const stream = await opened(server, '/quiet.json')
    const watch = await opened(server, '/quiet/.watch')
    const { lastEventId } = stream
    await server.send('PUT', '/loud.json', 1)
    while (stream.lastEventId === lastEventId) await stream.arrival()
    expect(stream.events.some(({ event, data }) => event === 'keep-alive' && data === 'null')).toBe(
      true,
    )
    while (!watch.others.includes(': keep-alive')) await watch.arrival()
    const again = await opened(server, '/quiet.json', stream.lastEventId)
    await server.send('PUT', '/quiet.json', 1)
    expect(await again.take(1)).toEqual([put('/', 1)])
  })

  test('streams beyond the limits are refused', async () => {
    const streams = { maxStreams: 2, maxSubscriptions: 1 }
    await using server = await StreamServer.start(kind, { streams })
    await opened(server, '/a.json')
    await opened(server, '/b.json')
    const third = await server.open('/c.json')
    expect(third.status).toBe(503)
    await third.ended()
    expect(third.text).toContain('Too many streams')
  })

  test('queries that are opened at once get no more places than there are', async () => {
    await using server = await StreamServer.start(kind, { streams: { maxStreams: 3 } })
    const streams = await Promise.all(
      Array.from({ length: 12 }, async () => server.open('/t.json?orderBy="n"')),
    )
    expect(streams.filter(({ status }) => status === 200)).toHaveLength(3)
    expect(streams.filter(({ status }) => status === 503)).toHaveLength(9)
    expect(await server.metric('elkyn_streams')).toBe(3)
  })

  test('streams of one address are limited', async () => {
    await using server = await StreamServer.start(kind, { streams: { maxStreamsPerAddress: 1 } })
    await opened(server, '/a.json')
    const second = await server.open('/b.json')
    expect(second.status).toBe(503)
  })

  test('a subscription takes the place of the one of its name, of which there are no more than the limit', async () => {
    await using server = await StreamServer.start(kind, { streams: { maxSubscriptions: 2 } })
    const { id } = await openedNamed(server, { a: '/a.json', b: '/b.json' })
    const change = async (body: unknown): Promise<string> =>
      server.send('PATCH', `/.streams/${id}`, body)
    await change({ a: '/c.json' })
    await change({ a: null, c: '/t.json?orderBy="n"' })
    await change({ b: '/t.json?orderBy="n"&limitToLast=1' })
    await expect(change({ d: '/d.json' })).rejects.toThrow('at most 2 subscriptions')
    // The looks at the indexes are done in any order.
    await Promise.all(
      [1, 2, 3, 4].map((last) => change({ c: `/t.json?orderBy="n"&limitToLast=${last}` })),
    )
    await change({ c: null, b: null })
    const { stream } = await openedNamed(server, { z: '/z.json' })
    await stream.next()
    expect(await server.metric('elkyn_stream_subscriptions')).toBe(1)
  })

  test('subscriptions of all streams are limited, and given back', async () => {
    const streams = { maxTotalSubscriptions: 4 }
    await using server = await StreamServer.start(kind, { streams })
    await opened(server, '/a.json')
    const { stream, id } = await openedNamed(server, { b: '/b.json', q: '/t.json?orderBy="n"' })
    const change = async (body: unknown): Promise<string> =>
      server.send('PATCH', `/.streams/${id}`, body)
    const tooMany = '503 {\n  "error" : "The server is busy: Too many subscriptions"'
    await expect(change({ c: '/c.json', d: '/d.json' })).rejects.toThrow(tooMany)
    const body = JSON.stringify({ c: '/c.json', d: '/d.json' })
    const refused = await server.open('/.streams', { method: 'POST', body })
    expect([refused.status, refused.message.headers['retry-after']]).toEqual([503, '1'])
    await change({ b: '/e.json', c: '/c.json' })
    // One that takes the place of another is none more, and one of one place is not refused.
    await change({ c: '/d.json' })
    await opened(server, '/f.json')
    await change({ c: null, d: null })
    stream.cut()
    while ((await server.metric('elkyn_stream_subscriptions')) > 2);
    expect((await openedNamed(server, { b: '/b.json', c: '/c.json' })).id).not.toBe('')
  })

  test('the text of the subscriptions of one stream is limited', async () => {
    await using server = await StreamServer.start(kind)
    const { id } = await openedNamed(server, {})
    const change = async (body: unknown): Promise<string> =>
      server.send('PATCH', `/.streams/${id}`, body)
    const url = `/t.json?orderBy="$key"&equalTo="${'x'.repeat(200_000)}"`
    for (const name of ['a', 'b', 'c']) await change({ [name]: url })
    await change({ d: { url, lastEventId: 'x'.repeat(50_000) }, e: null })
    await expect(change({ e: url, f: '/' })).rejects.toThrow('at most 1048576 characters together')
    await change({ d: null, e: url })
    await change({ d: '/' })
  })

  test('what is wrong with a subscription is told behind a value that is on its way', async () => {
    await using server = await StreamServer.start(kind)
    const large = Object.fromEntries(
      Array.from({ length: 30 }, (_item, index) => [`k${index}`, 'x'.repeat(500_000)]),
    )
    await server.send('PUT', '/big.json', large)
    const { stream, id } = await openedNamed(server, {})
    stream.message.pause()
    const before = await server.metric('elkyn_stream_bytes_total')
    await server.send('PATCH', `/.streams/${id}`, { big: '/big.json' })
    while ((await server.metric('elkyn_stream_bytes_total')) < before + 100_000);
    await server.send('PATCH', `/.streams/${id}`, { odd: '/x.json?orderBy=' })
    stream.message.resume()
    const told = [await stream.next(), await stream.next()]
    expect(told.map(({ event }) => event)).toEqual(['put', 'error'])
  })

  test('a server that stops ends its streams, and says when to come back', async () => {
    const reconnectWindowMs = 1_000_000
    await using server = await StreamServer.start(kind, { streams: { reconnectWindowMs } })
    const streams = await Promise.all(Array.from({ length: 10 }, () => opened(server, '/a.json')))
    await server.end()
    const times: number[] = []
    for (const stream of streams) {
      await stream.ended()
      const retry = stream.others.find((line) => line.startsWith('retry: '))
      expect(retry).toMatch(/^retry: \d+$/)
      times.push(Number(retry?.slice(7)))
    }
    // That two are the same happens once in twenty thousand times, that all are never.
    expect(new Set(times).size).toBeGreaterThan(5)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(1000)
    expect(Math.max(...times)).toBeLessThanOrEqual(1000 + reconnectWindowMs)
  })

  test('a client of HTTP/1.0 gets the events without frames', async () => {
    await using server = await StreamServer.start(kind)
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    socket.write('GET /a.json HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n')
    let text = ''
    while (!text.includes('data: ')) text += String((await once(socket, 'data'))[0])
    expect(text).toMatch(/\r\n\r\nevent: put\ndata: \{"path":"\/","data":null\}\nid: /)
    expect(text).not.toContain('chunked')
    socket.destroy()
  })

  test('of subscriptions that go on behind an id, one without begins with the whole value', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/.json', { old: 1, brandNew: 2 })
    const { stream } = await openedNamed(server, { old: '/old.json' })
    await stream.next()
    const { lastEventId } = stream
    stream.cut()
    const again = await server.open('/.streams', {
      method: 'POST',
      body: JSON.stringify({
        old: '/old.json',
        brandNew: { url: '/brandNew.json', lastEventId: '' },
      }),
      headers: { 'last-event-id': lastEventId },
    })
    await again.next()
    expect(JSON.parse((await again.next()).data)).toMatchObject({
      subscription: 'brandNew',
      path: '/',
      data: 2,
    })
    await server.send('PUT', '/old.json', 3)
    expect(JSON.parse((await again.next()).data)).toMatchObject({ subscription: 'old', data: 3 })
  })

  test('many subscriptions on one stream are told by name, and changed while it is open', async () => {
    await using server = await StreamServer.start(kind)
    await server.send('PUT', '/a.json', 1)
    const body = JSON.stringify({ one: '/a.json', two: '/b/.watch', odd: '/x.json?orderBy=' })
    const stream = await server.open('/.streams', { method: 'POST', body })
    const { data } = await stream.next()
    const { stream: id } = JSON.parse(data) as { stream: string }
    const first = [await stream.next(), await stream.next(), await stream.next()]
    const told = first.map(
      ({ event, data: text }) => `${event} ${text.replace(/"id":"[^"]*",/, '')}`,
    )
    expect(told.toSorted()).toEqual([
      `error {"subscription":"odd","status":400,"error":"orderBy must be a valid JSON encoded path"}`,
      'put {"subscription":"one","path":"/","data":1}',
      'value {"subscription":"two","data":null}',
    ])
    await server.send('PATCH', `/.streams/${id}`, { one: null, three: '/c.json' })
    const third = JSON.parse((await stream.next()).data) as { subscription: string; id: string }
    expect(third.subscription).toBe('three')
    await server.send('PATCH', '/.json', { a: 2, b: 2, c: 2 })
    const both = [await stream.next(), await stream.next()].map(
      ({ data: text }) => (JSON.parse(text) as { subscription: string }).subscription,
    )
    expect(both.toSorted()).toEqual(['three', 'two'])
    const { lastEventId } = stream
    stream.cut()
    await server.send('PUT', '/c/d.json', 3)
    const again = await server.open('/.streams', {
      method: 'POST',
      body: JSON.stringify({ three: '/c.json', two: '/b/.watch' }),
      headers: { 'last-event-id': lastEventId },
    })
    await again.next()
    expect(JSON.parse((await again.next()).data)).toMatchObject({
      subscription: 'three',
      path: '/d',
      data: 3,
    })
    const { stream: last } = JSON.parse(again.text.split('\n')[1]!.slice(6)) as { stream: string }
    await server.send('DELETE', `/.streams/${last}`)
    await again.ended()
    await expect(server.send('DELETE', `/.streams/${last}`)).rejects.toThrow('404')
  })
})

describe('/.streams', () => {
  const namespaces = { names: ['shop', 'blog'], default: 'blog' }

  /** Opens a stream of one subscription, and gives the first event of that. */
  async function firstOf(
    server: StreamServer,
    target: string,
    subscription: unknown,
    headers: Record<string, string> = {},
  ): Promise<string> {
    const body = JSON.stringify({ it: subscription })
    const stream = await server.open(target, { method: 'POST', body, headers })
    if (stream.status !== 200) return `${stream.status}`
    await stream.next()
    const { event, data } = await stream.next()
    return `${event} ${JSON.stringify((JSON.parse(data) as { data: unknown }).data)}`
  }

  test('means the database of ns with subscriptions that name none', async () => {
    await using server = await StreamServer.start('memory', { namespaces })
    for (const name of namespaces.names) await server.send('PUT', `/a.json?ns=${name}`, name)
    expect(await firstOf(server, '/.streams', '/a.json')).toBe('put "blog"')
    expect(await firstOf(server, '/.streams?ns=shop', '/a.json')).toBe('put "shop"')
    expect(await firstOf(server, '/.streams?ns=shop', '/a.json?ns=blog')).toBe('put "blog"')
    expect(await firstOf(server, '/.streams?ns=shop', 'http://blog.test/a.json')).toBe('put "blog"')
    expect(await firstOf(server, '/.streams?ns=other', '/a.json')).toBe('404')
    const host = { host: 'shop.test' }
    expect(await firstOf(server, '/.streams', '/a.json', host)).toBe('put "shop"')
    expect(await firstOf(server, '/.streams?ns=blog', '/a.json', host)).toBe('put "blog"')
  })

  test('means the database of ns with subscriptions that are added, or else that of the stream', async () => {
    await using server = await StreamServer.start('memory', { namespaces })
    for (const name of namespaces.names) await server.send('PUT', `/a.json?ns=${name}`, name)
    const { stream, id } = await openedNamed(server, {}, '/.streams?ns=shop')
    for (const target of [`/.streams/${id}`, `/.streams/${id}?ns=blog`]) {
      await server.send('PATCH', target, { it: '/a.json' })
    }
    const [first, second] = [await stream.next(), await stream.next()]
    expect([first.data, second.data].map((data) => /"data":"(\w+)"/.exec(data)?.[1])).toEqual([
      'shop',
      'blog',
    ])
    const unknown = server.send('PATCH', `/.streams/${id}?ns=other`, { it: '/a.json' })
    await expect(unknown).rejects.toThrow('404')
    await expect(server.send('DELETE', `/.streams/${id}?ns=other`)).rejects.toThrow('404')
  })

  test('refuses credentials, which it could not check', async () => {
    await using server = await StreamServer.start('memory')
    const { id } = await openedNamed(server, {})
    for (const [method, path] of [
      ['POST', '/.streams'],
      ['PATCH', `/.streams/${id}`],
      ['DELETE', `/.streams/${id}`],
    ] as const) {
      for (const parameter of ['auth', 'access_token']) {
        await expect(server.send(method, `${path}?${parameter}=x`, {})).rejects.toThrow('501')
      }
      const headers = { authorization: 'Bearer x' }
      const stream = await server.open(path, { method, body: '{}', headers })
      expect(stream.status).toBe(501)
    }
    expect(await server.metric('elkyn_streams')).toBe(1)
  })

  test('goes on behind lastEventId, of which an empty one is none', async () => {
    await using server = await StreamServer.start('memory', {})
    const before = await opened(server, '/a.json')
    const { lastEventId } = before
    await server.send('PUT', '/a/b.json', 1)
    const target = `/.streams?lastEventId=${lastEventId}`
    expect(await firstOf(server, target, '/a.json')).toBe('put 1')
    const other = { 'last-event-id': (await before.next()).lastEventId }
    await server.send('PUT', '/a/b.json', 2)
    expect(await firstOf(server, target, '/a.json', other)).toBe('put 2')
    const empty = { url: '/a.json', lastEventId: '' }
    expect(await firstOf(server, target, empty)).toBe('put {"b":2}')
    expect(await firstOf(server, '/.streams?lastEventId=', empty)).toBe('put {"b":2}')
    expect(await server.metric('elkyn_stream_resumes_total{outcome="lost"}')).toBe(0)
  })

  // https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
  test('is found behind the name of the host, too', async () => {
    await using server = await StreamServer.start('memory')
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    socket.write('POST http://a/.streams HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}')
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /)
    socket.destroy()
  })

  test('takes another method of a POST, and refuses what others refuse', async () => {
    await using server = await StreamServer.start('memory')
    const { stream, id } = await openedNamed(server, {})
    const statusOf = async (
      target: string,
      headers: Record<string, string>,
      body = '{}',
    ): Promise<number | undefined> =>
      (await server.open(target, { method: 'POST', body, headers })).status
    const override = 'x-http-method-override'
    expect(await statusOf('/.streams', { [override]: 'PATCH' })).toBe(405)
    expect(await statusOf('/.streams', { [override]: 'TEAPOT' })).toBe(400)
    expect(await statusOf('/.streams', { 'content-encoding': 'gzip' })).toBe(415)
    expect(await statusOf('/.streams', {}, ' '.repeat(256 * 1024 + 1))).toBe(413)
    expect(await statusOf('/.streams', {}, JSON.stringify({ ['n'.repeat(257)]: '/a' }))).toBe(400)
    expect(await statusOf(`/.streams/${id}?auth=%zz`, {})).toBe(400)
    expect(await statusOf(`/.streams/${id}`, {})).toBe(405)
    expect(await statusOf(`/.streams/${id}?${override}=patch`, {}, '{"a":"/a.json"}')).toBe(200)
    expect((await stream.next()).data).toContain('"subscription":"a"')
    expect(await statusOf(`/.streams/${id}`, { [override]: 'DELETE' })).toBe(200)
    await stream.ended()
  })
})

// The server is in the thread of the test: what is sent in one turn of it comes to the server in one turn.
test('who comes back with the last event is told what is written in that turn, whoever else comes back', async () => {
  await using server = await StreamServer.start('memory')
  const stays = await opened(server, '/a.json')
  await server.send('PUT', '/a/n.json', 1)
  const { lastEventId } = await stays.next()
  const ask = (method: string, target: string, headers: string, body = '') =>
    `${method} ${target} HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
  const resumed = (id: string) =>
    ask('GET', '/a.json', `Accept: text/event-stream\r\nLast-Event-ID: ${id}\r\n`)
  const requests = [
    ask('PUT', '/a/n.json', '', '2'),
    resumed('-Oother-7-0'),
    ask('PUT', '/a/n.json', '', '3'),
    resumed(lastEventId),
  ]
  const sockets = requests.map(() => connect(Number(new URL(server.url).port), '127.0.0.1'))
  for (const socket of sockets) {
    socket.write(ask('GET', '/.health', ''))
    await once(socket, 'data')
  }
  let text = ''
  const cut = sockets.at(-1)!
  cut.on('data', (bytes) => (text += String(bytes)))
  for (const [index, socket] of sockets.entries()) socket.write(requests[index]!)
  while (!stays.events.some(({ data }) => data.includes('3'))) await stays.arrival()
  await server.send('PUT', '/a/n.json', 4)
  while (!text.includes('"data":4}')) await once(cut, 'data')
  for (const socket of sockets) socket.destroy()
  expect(Array.from(text.matchAll(/"data":(\d+)\}/g), ([, n]) => n)).toEqual(['2', '3', '4'])
})

describe.each(['lmdb', 'pool'] as const)('streams over a restart (%s)', (kind) => {
  test('a stream goes on behind an event from before', async () => {
    await using server = await StreamServer.start(kind)
    const before = await opened(server, '/a.json')
    await server.send('PUT', '/a/b.json', 1)
    const { lastEventId } = await before.next()
    await server.end()
    await server.begin()
    await server.send('PUT', '/a/c.json', 2)
    const after = await opened(server, '/a.json', lastEventId)
    expect(await after.take(1)).toEqual([put('/c', 2)])
  })

  test('an id of changes that a restored copy never had is known for one', async () => {
    await using server = await StreamServer.start(kind)
    const first = await opened(server, '/a.json')
    await server.send('PUT', '/a/b.json', 1)
    const common = await first.next()
    await server.end()
    await using copy = await server.copyData()
    await server.begin()
    const second = await opened(server, '/a.json')
    await server.send('PUT', '/a/c.json', 2)
    const lost = await second.next()
    await server.end()
    await copy.restore()
    await server.begin()
    // It has the number of the change that is lost.
    await server.send('PUT', '/a/d.json', 3)
    const behind = await opened(server, '/a.json', common.lastEventId)
    expect(await behind.take(1)).toEqual([put('/d', 3)])
    const anew = await opened(server, '/a.json', lost.lastEventId)
    expect(await anew.take(1)).toEqual([put('/', { b: 1, d: 3 })])
  })
})

describe.each(serverKinds)('the limit of an answer (%s)', (kind) => {
  const why = JSON.stringify(
    'Data requested exceeds the maximum size that can be accessed with a single request.',
  )

  test('ends one subscription, and nothing else of its stream', async () => {
    await using server = await StreamServer.start(kind, { maxAnswerBytes: 100 })
    await server.send('PUT', '/a.json', { b: 'x'.repeat(80) })
    const before = await opened(server, '/a.json')
    await server.send('PUT', '/a/c.json', 'y'.repeat(80))
    // What changes is told, and so is what was missed.
    const next = [put('/c', 'y'.repeat(80))]
    expect(await before.take(1)).toEqual(next)
    const again = await opened(server, '/a.json', before.lastEventId)
    await server.send('PUT', '/a/d.json', 1)
    expect(await again.take(1)).toEqual([put('/d', 1)])
    const { stream } = await openedNamed(server, { small: '/a/b.json', large: '/a.json' })
    const told = (await stream.take(2)).toSorted()
    expect(told[0]).toBe(`error {"subscription":"large","status":400,"error":${why}}`)
    expect(told[1]).toContain('"subscription":"small"')
    await server.send('PUT', '/a/b.json', 2)
    expect((await stream.next()).data).toContain('"data":2')
  })

  test('of a query ends who asks for the whole, and not who is told of its changes', async () => {
    await using server = await StreamServer.start(kind, { maxAnswerBytes: 100 })
    await server.send('PUT', '/t.json', { a: 'x'.repeat(60) })
    const target = '/t.json?orderBy="$key"&limitToLast=5'
    const told = await opened(server, target)
    await server.send('PUT', '/t/b.json', 'y'.repeat(60))
    expect(await told.take(1)).toEqual([put('/b', 'y'.repeat(60))])
    for (const key of ['c', 'd']) {
      expect((await server.open(target)).status).toBe(400)
      await server.send('PUT', `/t/${key}.json`, 1)
      expect(await told.take(1)).toEqual([put(`/${key}`, 1)])
    }
  })

  test.each([
    ['a small one', 10_000],
    ['one that is sent in blocks', 400_000],
  ])('is that of the whole value of a stream: %s', async (_name, maxAnswerBytes) => {
    await using server = await StreamServer.start(kind, { maxAnswerBytes })
    const value = 'x'.repeat(maxAnswerBytes / 2)
    await server.send('PUT', '/a.json', { b: value, c: '' })
    const targets = ['/a.json', '/a/.watch', '/a.json?orderBy="$key"']
    for (const target of targets) {
      const stream = await server.open(target)
      expect((await stream.next()).data).toContain(value)
      stream.cut()
    }
    await server.send('PUT', '/a/c.json', value)
    for (const target of targets) {
      const refused = await server.open(target)
      expect(refused.status).toBe(400)
      await refused.ended()
      expect(refused.text).toContain(why)
      expect((await server.open(target, { method: 'HEAD' })).status).toBe(400)
      // Who comes back with what says nothing is told so, and that it has to begin anew.
      const cancelled = await opened(server, target, 'odd')
      cancelled.lastEventId = 'odd'
      expect(await cancelled.take(1)).toEqual([`cancel ${why}`])
      await cancelled.ended()
      expect(cancelled.lastEventId).toBe('')
    }
  })
})

describe.each(serverKinds)('a change log that does not reach back (%s)', (kind) => {
  test('gives a fresh value, and is counted', async () => {
    await using server = await StreamServer.start(kind, {
      log: { maxBytes: 10_000, maxChanges: 5 },
      // Or it would be found in memory.
      streams: { lingerMs: 0 },
    })
    const before = await opened(server, '/a.json')
    const { lastEventId } = before
    before.cut()
    await server.send('PUT', '/elsewhere.json', 1)
    const same = await server.open('/a/.watch', { headers: { 'last-event-id': lastEventId } })
    const resumes = 'elkyn_stream_resumes_total'
    while ((await server.metric(`${resumes}{outcome="resumed"}`)) < 1);
    for (let number = 0; number < 60; number++) {
      await server.send('PUT', `/a/k${number % 3}.json`, `${number}`.padEnd(1000))
    }
    const after = await server.open('/a.json', { headers: { 'last-event-id': lastEventId } })
    expect(JSON.parse((await after.next()).data)).toEqual({
      path: '/',
      data: await server.read('/a.json'),
    })
    const target = '/t.json?orderBy="n"'
    const query = await server.open(target, { headers: { 'last-event-id': lastEventId } })
    expect(await query.take(1)).toEqual([put('/', null)])
    expect(await server.metric(`${resumes}{outcome="lost"}`)).toBe(2)
    expect(await server.metric(`${resumes}{outcome="resumed"}`)).toBe(1)
    same.cut()
  })
})

describe.each(serverKinds)('a slow reader (%s)', (kind) => {
  test('is told the value as it is when it reads on', async () => {
    await using server = await StreamServer.start(kind, { streams: { maxPendingBytes: 100_000 } })
    const stream = await opened(server, '/a.json')
    const mirror = new Mirror()
    stream.message.pause()
    const written = 400
    for (let number = 0; number < written; number++) {
      await server.send(
        'PUT',
        `/a/k${number % 7}.json?print=silent`,
        `${number}`.padEnd(50_000, 'x'),
      )
    }
    const behind = await server.metric('elkyn_streams_fallen_behind_total')
    expect(behind).toBeGreaterThan(0)
    // Who only waits for the first values of many subscriptions is none.
    const many = Array.from({ length: 30 }, (_, index) => [`s${index}`, `/a/k${index % 7}.json`])
    const { stream: other } = await openedNamed(
      server,
      Object.fromEntries(many) as Record<string, string>,
    )
    await other.take(many.length)
    expect(await server.metric('elkyn_streams_fallen_behind_total')).toBe(behind)
    stream.message.resume()
    const there = plain(await server.read('/a.json'))
    while (!isDeepStrictEqual(mirror.value, there)) mirror.apply(await stream.next())
    // Far less than was written.
    expect(stream.text.length).toBeLessThan((written * 50_000) / 2)
  })

  test('that takes nothing does not hold the end of the server', async () => {
    const aDayMs = 86_400_000
    await using server = await StreamServer.start(kind, {
      streams: { maxPendingBytes: 100_000, keepAliveMs: aDayMs },
      writeTimeoutMs: aDayMs,
    })
    const stream = await opened(server, '/a.json')
    stream.message.pause()
    for (let number = 0; ; number++) {
      await server.send('PUT', '/a.json?print=silent', `${number}`.padEnd(50_000, 'x'))
      if ((await server.metric('elkyn_streams_fallen_behind_total')) > 0) break
    }
    expect(await server.metric('elkyn_streams')).toBe(1)
    await server.end(aDayMs)
  })

  test('that takes nothing is disconnected', async () => {
    const streams = { maxPendingBytes: 100_000, keepAliveMs: 50 }
    await using server = await StreamServer.start(kind, { streams, writeTimeoutMs: 100 })
    const stream = await opened(server, '/a.json')
    stream.message.pause()
    for (let number = 0; number < 200; number++) {
      await server.send('PUT', '/a.json?print=silent', `${number}`.padEnd(50_000, 'x'))
    }
    while ((await server.metric('elkyn_streams')) > 0);
  })
})
