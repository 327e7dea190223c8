import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { text as readToEnd } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '@elkyn/tooling-certificates'
import { MemoryTreeStore } from '@elkyn/tree'
import { describe, expect, test } from 'vitest'
import { SimpleHttpServer } from '../../src/index.ts'
import { StreamServer } from './servers.ts'

const request = 'GET /a.json HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n'

/** Reads until the text so far has `end` in it. */
async function readUntil(socket: Socket, end: string, text = ''): Promise<string> {
  while (!text.includes(end)) text += String((await once(socket, 'data'))[0])
  return text
}

function connected(server: StreamServer): Socket {
  return connect(Number(new URL(server.url).port), '127.0.0.1')
}

async function noStreamIsOpen(server: StreamServer): Promise<void> {
  while ((await server.metric('elkyn_streams')) > 0);
}

describe('a stream is the last answer of its connection, and', () => {
  test('what is sent behind its request is ignored', async () => {
    await using server = await StreamServer.start('memory')
    const socket = connected(server)
    socket.write(request + request)
    const first = await readUntil(socket, '"data":null')
    socket.write('no HTTP at all\r\n\r\n'.repeat(1000) + request)
    await server.send('PUT', '/a.json', 1)
    const text = await readUntil(socket, '"data":1', first)
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(text.match(/event: put/g)).toHaveLength(2)
    socket.destroy()
    await noStreamIsOpen(server)
  })

  test('it ends when the client closes its side', async () => {
    await using server = await StreamServer.start('memory')
    const socket = connected(server)
    socket.write(request)
    await readUntil(socket, '"data":null')
    socket.end()
    await once(socket, 'close')
    await noStreamIsOpen(server)
  })

  test('it ends when the client had closed its side before', async () => {
    await using server = await StreamServer.start('memory')
    const socket = connected(server)
    socket.end(request)
    socket.resume()
    await once(socket, 'close')
    await noStreamIsOpen(server)
  })

  test('what was asked before it is answered, also to a client that closes its side', async () => {
    await using server = await StreamServer.start('pool')
    const large = Array.from({ length: 20 }, () => 'x'.repeat(100_000))
    await server.send('PUT', '/large.json', large)
    const socket = connected(server)
    socket.end(`GET /large.json HTTP/1.1\r\nHost: a\r\n\r\n${request}`)
    const text = await readToEnd(socket)
    expect(text.length).toBeGreaterThan(2_000_000)
    expect(text).toContain('x"]\r\n0\r\n\r\n')
    await noStreamIsOpen(server)
  })

  test('it ends when a client closes its side that has sent much behind it, over TLS', async () => {
    const tls = selfSigned()
    const store = new MemoryTreeStore({ indexes: {} })
    await using server = new SimpleHttpServer({ store, port: 0, tls, closeStore: true })
    await server.start()
    const { port } = server.address()
    const socket = connectTls({ port, host: '127.0.0.1', ca: tls.cert })
    // More than are read before others are answered.
    const get = 'GET /b.json HTTP/1.1\r\nHost: a\r\n\r\n'
    socket.write(`${get}${request}${get.repeat(100)}`)
    await readUntil(socket, '"data":null')
    socket.end(get)
    await once(socket, 'close')
  })

  test('a connection that is reset takes only its own stream along', async () => {
    await using server = await StreamServer.start('memory')
    const [one, other] = [connected(server), connected(server)]
    for (const socket of [one, other]) socket.write(request)
    await Promise.all([one, other].map((socket) => readUntil(socket, '"data":null')))
    one.resetAndDestroy()
    while ((await server.metric('elkyn_streams')) > 1);
    await server.send('PUT', '/a.json', 1)
    await readUntil(other, '"data":1')
    other.destroy()
  })

  test('what came with its request and is none is not answered among its events', async () => {
    const get = 'GET /b.json HTTP/1.1\r\nHost: a\r\n\r\n'
    for (const behind of ['CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n', 'no HTTP at all\r\n\r\n']) {
      // Also where the stream waits for the answer before it.
      for (const before of ['', get]) {
        await using server = await StreamServer.start('memory')
        const socket = connected(server)
        socket.write(before + request + behind)
        const first = await readUntil(socket, '"data":null')
        const [rest] = await Promise.all([readToEnd(socket), server.end()])
        expect((first + rest).match(/HTTP\/1\.1/g)).toHaveLength(before === '' ? 1 : 2)
      }
    }
  })

  test('its end says when to come back', async () => {
    await using server = await StreamServer.start('memory')
    const socket = connected(server)
    socket.write(request)
    const first = await readUntil(socket, '"data":null')
    const [text] = await Promise.all([readUntil(socket, 'retry: ', first), server.end()])
    expect(text).toContain('retry: ')
    if (!socket.closed) await once(socket, 'close')
  })
})
