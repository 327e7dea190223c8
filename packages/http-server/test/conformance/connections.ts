import { once } from 'node:events'
import type { Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Fixture, errorText } from './fixture.ts'
import type { StartServer } from './fixture.ts'

const host = 'Host: x\r\n'
const close = `${host}Connection: close\r\n`
// Of 20 MB: more than the buffers of a connection hold, on both sides.
const tooMuchForSockets = Array.from({ length: 200 }, () => 'x'.repeat(100_000))

export function describeConnections(start: StartServer): void {
  describe('limits', () => {
    test('a body over maxBodyBytes is refused by its Content-Length, before it is sent', async () => {
      await using server = await Fixture.open(start, { maxBodyBytes: 100 })
      const socket = server.connect()
      socket.write(`PUT /a.json HTTP/1.1\r\n${host}Content-Length: 101\r\n\r\n`)
      const answer = await readHead(socket)
      expect(answer).toMatch(/^HTTP\/1.1 413 Payload Too Large\r\n/)
      expect(answer).toContain(errorText('Payload is too large'))
      socket.destroy()
      expect(await server.read('/.json')).toBe('null')
    })

    test('a body that proves to be over maxBodyBytes is refused', async () => {
      await using server = await Fixture.open(start, { maxBodyBytes: 200_000 })
      for (const size of [200_001, 10_000_000]) {
        const answer = await server.ask('PUT', '/a.json', { body: repeated(size) })
        expect([answer.status, answer.text]).toEqual([413, errorText('Payload is too large')])
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a client that goes on to send a refused body gets to read why', async () => {
      await using server = await Fixture.open(start, { maxBodyBytes: 100 })
      const socket = server.connect()
      socket.write(`PUT /a.json HTTP/1.1\r\n${host}Content-Length: 3000000\r\n\r\n`)
      socket.end(Buffer.alloc(3_000_000, 0x20))
      expect(await text(socket)).toMatch(/^HTTP\/1.1 413 .*\r\n\r\n.*Payload is too large/s)
    })

    test('a URL over maxUrlBytes is 414', async () => {
      await using server = await Fixture.open(start, { maxUrlBytes: 100 })
      expect((await server.get(`/${'a'.repeat(94)}.json`)).status).toBe(200)
      expect((await server.get(`/${'a'.repeat(95)}.json`)).status).toBe(414)
    })

    test('a head over maxHeaderBytes is 431', async () => {
      await using server = await Fixture.open(start, { maxHeaderBytes: 2000 })
      const answer = await server.raw(`GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(3000)}\r\n\r\n`)
      expect(answer).toMatch(/^HTTP\/1.1 431 /)
      expect(answer).toContain(errorText('The head of the request is too large'))
    })

    test('a client that goes on to send an endless head gets to read why', async () => {
      await using server = await Fixture.open(start)
      const socket = server.connect()
      socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(5_000_000)}`)
      expect(await text(socket)).toMatch(/^HTTP\/1.1 431 .*The head of the request is too large/s)
    })

    test('no header is dropped because there are many', async () => {
      await using server = await Fixture.open(start)
      const many = 'a: b\r\n'.repeat(5000)
      const answer = await server.raw(
        `PUT /a.json HTTP/1.1\r\n${close}${many}if-match: old\r\nContent-Length: 1\r\n\r\n1`,
      )
      expect(answer).toMatch(/^HTTP\/1.1 412 /)
    })

    test('a connection over maxConnections is told so', async () => {
      await using server = await Fixture.open(start, { maxConnections: 1 })
      const first = await server.connected()
      expect(await server.raw('')).toMatch(/^HTTP\/1.1 503 .*Too many connections/s)
      first.write(`GET /.health HTTP/1.1\r\n${close}\r\n`)
      expect(await text(first)).toMatch(/^HTTP\/1.1 200 /)
      expect(await server.raw(`GET /.health HTTP/1.1\r\n${close}\r\n`)).toMatch(/^HTTP\/1.1 200 /)
    })

    test('a head that takes too long is 408', async () => {
      // The time for the handshake of TLS as well, which a busy machine needs more of.
      await using server = await Fixture.open(start, { headersTimeoutMs: 500 })
      const begun = ['', 'GET / HTT', `GET / HTTP/1.1\r\n${host}`]
      for (const answer of await Promise.all(begun.map((bytes) => server.raw(bytes)))) {
        expect(answer).toMatch(/^HTTP\/1.1 408 /)
        expect(answer).toContain(errorText('The request took too long to arrive'))
      }
    })

    test('a body that takes too long is 408, and nothing of it is stored', async () => {
      await using server = await Fixture.open(start, { requestTimeoutMs: 50 })
      for (const length of [10, 1_000_000]) {
        const answer = await server.raw(
          `PUT /a.json HTTP/1.1\r\n${host}Content-Length: ${length}\r\n\r\n"half`,
        )
        expect(answer).toMatch(/^HTTP\/1.1 408 /)
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a connection that rests too long is closed without a word', async () => {
      await using server = await Fixture.open(start, { keepAliveTimeoutMs: 50 })
      const answer = await server.raw(`GET /a.json HTTP/1.1\r\n${host}\r\n`)
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nnull$/s)
    })

    test('a client that never reads is cut off, and others are served meanwhile', async () => {
      await using server = await Fixture.open(start, { writeTimeoutMs: 100 })
      const stalled = await neverReading(server)
      expect((await server.get('/.health')).status).toBe(200)
      // The server closes as soon as the stalled connection is gone, however long that may take.
      await server.server.close({ timeoutMs: 60_000 })
      stalled.destroy()
    })

    test('a client that never reads is cut off, whatever it goes on to send', async () => {
      await using server = await Fixture.open(start, { writeTimeoutMs: 400 })
      const stalled = await neverReading(server)
      while (!stalled.destroyed) {
        stalled.write('G')
        await setImmediate()
      }
    })
  })

  describe('malformed requests', () => {
    test('what is no HTTP is 400, in JSON', async () => {
      await using server = await Fixture.open(start)
      for (const bytes of [
        'nonsense\r\n\r\n',
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        `GET /a b HTTP/1.1\r\n${host}\r\n`,
        `GET / HTTP/1.1\r\n${host}bad header\r\n\r\n`,
        `PUT / HTTP/1.1\r\n${host}Content-Length: x\r\n\r\n1`,
        `PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n1`,
        `PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1`,
        `PUT /a.json HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      ]) {
        const answer = await server.raw(bytes)
        expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
        expect(answer).toMatch(/\r\n\r\n\{\n {2}"error" : ".*"\n\}\n$/)
        expect(answer).toContain('Connection: close\r\n')
        expect(answer).toContain('Access-Control-Allow-Origin: *\r\n')
      }
      expect(await server.read('/.json')).toBe('null')
    })

    // What one reader of bytes takes for a body and another for a request gets past whoever checks requests.
    test('a request whose end could be seen elsewhere is 400, and ends the connection', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const next = `DELETE /a.json HTTP/1.1\r\n${host}\r\n`
      const chunks = '1\r\n2\r\n0\r\n\r\n'
      for (const fields of [
        'Content-Length: 1\r\nContent-Length: 1\r\n\r\n2',
        'Content-Length: 1, 1\r\n\r\n2',
        'Content-Length: +1\r\n\r\n2',
        'Content-Length: 0x1\r\n\r\n2',
        'Content-Length : 1\r\n\r\n2',
        'Content-Length: 99999999999999999999\r\n\r\n2',
        'Content-Length:\r\n 1\r\n\r\n2',
        'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n' + chunks,
        'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n' + chunks,
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n' + chunks,
        'Transfer-Encoding: chunked, gzip\r\n\r\n' + chunks,
        'Transfer-Encoding: xchunked\r\n\r\n' + chunks,
        'Transfer-Encoding: identity\r\n\r\n' + chunks,
        'Transfer-Encoding:\r\n chunked\r\n\r\n' + chunks,
        'Transfer-Encoding : chunked\r\n\r\n' + chunks,
        'Transfer-Encoding: chunked\r\n\r\n0x1\r\n2\r\n0\r\n\r\n',
        'Transfer-Encoding: chunked\r\n\r\n1\r\n23\r\n0\r\n\r\n',
        'Transfer-Encoding: chunked\r\n\r\n1\n2\r\n0\r\n\r\n',
        'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n2\r\n0\r\n\r\n',
        'X: y\r\n z\r\n\r\n',
        'X: y\nContent-Length: 1\r\n\r\n2',
        'X: y\rContent-Length: 1\r\n\r\n2',
        'X: \0\r\n\r\n',
        'X\r\n\r\n',
        ': y\r\n\r\n',
      ]) {
        const answer = await server.raw(`PUT /a.json HTTP/1.1\r\n${host}${fields}${next}`)
        expect([fields, statuses(answer)]).toEqual([fields, [400]])
        expect(answer).toContain('Connection: close\r\n')
      }
      for (const line of ['PUT /a.json HTTP/1.1\n', 'PUT /a.json\tHTTP/1.1\r\n']) {
        expect(statuses(await server.raw(`${line}${host}\r\n${next}`))).toEqual([400])
      }
      expect(await server.read('/.json')).toBe('{"a":1}')
    })

    test('a Transfer-Encoding in HTTP/1.0 is 400, and ends the connection', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const answer = await server.raw(
        `PUT /a.json HTTP/1.0\r\n${host}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n` +
          `1\r\n2\r\n0\r\n\r\nDELETE /a.json HTTP/1.1\r\n${host}\r\n`,
      )
      expect(statuses(answer)).toEqual([400])
      expect(answer).toContain(errorText('HTTP/1.0 has no Transfer-Encoding'))
      expect(await server.read('/.json')).toBe('{"a":1}')
    })

    test('a Transfer-Encoding that compresses is 501, instead of taken for JSON', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw(
        `PUT /a.json HTTP/1.1\r\n${close}Transfer-Encoding: gzip, chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n`,
      )
      expect(answer).toMatch(/^HTTP\/1.1 501 /)
      expect(answer).toContain(errorText("Transfer-Encoding 'gzip, chunked' is not supported"))
      expect(await server.read('/.json')).toBe('null')
    })

    test('what comes behind the body is no header', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw(
        `PUT /a.json HTTP/1.1\r\n${close}Transfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\nif-match: x\r\n\r\n`,
      )
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\n2$/s)
      const flood = await server.raw(
        `PUT /a.json HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\n3\r\n0\r\n${'a: b\r\n'.repeat(100_000)}\r\n`,
      )
      expect(flood).toMatch(/^HTTP\/1.1 431 /)
      expect(await server.read('/a.json')).toBe('2')
    })

    test('a request without Host is 400', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')
      expect(answer).toMatch(/^HTTP\/1.1 400 .*A Host header is missing/s)
    })

    test('a request with two Hosts is 400', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw(
        `GET / HTTP/1.1\r\n${host}host: y\r\nConnection: close\r\n\r\n`,
      )
      expect(answer).toMatch(/^HTTP\/1.1 400 .*There are two Host headers/s)
    })

    test('a method that HTTP does not know, and CONNECT, are 405 and say which there are', async () => {
      await using server = await Fixture.open(start)
      for (const line of ['BREW /a.json', 'CONNECT a:80']) {
        const answer = await server.raw(`${line} HTTP/1.1\r\n${host}\r\n`)
        expect(answer).toMatch(/^HTTP\/1.1 405 .*\r\nAllow: GET, HEAD, PUT, /s)
      }
    })

    test('a CONNECT behind an answer that is on its way is answered behind it', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json?print=silent', tooMuchForSockets)
      const socket = server.connect()
      socket.write(`GET /a.json HTTP/1.1\r\n${host}\r\nCONNECT a:80 HTTP/1.1\r\n${host}\r\n`)
      socket.end()
      const answers = await text(socket)
      expect(statuses(answers)).toEqual([200, 405])
      expect(answers.length).toBeGreaterThan(20_000_000)
    })

    test('a truncated body is 400, and nothing of it is stored', async () => {
      await using server = await Fixture.open(start)
      for (const [length, sent] of [
        [10, '"half'],
        [300_000, `["${'x'.repeat(200_000)}"`],
      ] as const) {
        const socket = server.connect()
        socket.end(`PUT /a.json HTTP/1.1\r\n${host}Content-Length: ${length}\r\n\r\n${sent}`)
        expect(await text(socket)).toMatch(
          /^HTTP\/1.1 400 .*The connection ended before the request was complete/s,
        )
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a connection that breaks off in a body leaves nothing stored', async () => {
      await using server = await Fixture.open(start)
      for (const sent of ['"half', `["${'x'.repeat(200_000)}"`]) {
        const socket = await server.connected()
        socket.write(`PUT /a.json HTTP/1.1\r\n${host}Content-Length: 300000\r\n\r\n${sent}`)
        server.reset(socket)
      }
      expect(await server.read('/.json')).toBe('null')
    })

    test('a DELETE whose body is broken or truncated is 400, and deletes nothing', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const broken = `DELETE /a.json HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`
      expect(statuses(await server.raw(broken))).toEqual([400])
      const truncated = server.connect()
      truncated.end(`DELETE /a.json HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`)
      expect(statuses(await text(truncated))).toEqual([400])
      expect(await server.read('/a.json')).toBe('1')
    })

    test('a request whose body is broken is not carried out after it waited', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 1)
      const answer = await server.raw(
        `PUT /b.json HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\n2` +
          `DELETE /a.json HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      )
      expect(statuses(answer)).toEqual([200, 400])
      expect(await server.read('/.json')).toBe('{"a":1,"b":2}')
    })

    test('an answer in blocks comes whole though nobody reads the body of its request', async () => {
      await using server = await Fixture.open(start)
      const value = Array.from({ length: 50 }, () => 'x'.repeat(100_000))
      await server.put('/a.json', value)
      const socket = server.connect()
      socket.write(`GET /a.json HTTP/1.1\r\n${host}Content-Length: 300000\r\n\r\n`)
      socket.write('x'.repeat(300_000))
      const answer = await text(socket)
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
      expect(answer.endsWith('\r\n0\r\n\r\n')).toBe(true)
    })

    test('a half-open client that has sent all of its request gets the answer', async () => {
      await using server = await Fixture.open(start)
      const socket = server.connect()
      socket.end(`PUT /a.json HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\n1`)
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\n1$/s)
    })

    test('garbage behind a request does not take its answer away', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw(
        `PUT /a.json HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\n1garbage\r\n\r\n`,
      )
      expect(statuses(answer)).toEqual([200, 400])
    })
  })

  describe('Expect', () => {
    test('100-continue is answered when the body is wanted', async () => {
      await using server = await Fixture.open(start)
      const socket = server.connect()
      socket.write(
        `PUT /a.json HTTP/1.1\r\n${close}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`,
      )
      expect(await readHead(socket)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
      socket.write('1')
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\n1$/s)
    })

    test('100-continue is not answered when the request is refused anyway', async () => {
      await using server = await Fixture.open(start, { maxBodyBytes: 100 })
      for (const [path, length, status] of [
        ['/a.b.json', 1, 400],
        ['/a.json?auth=x', 1, 501],
        ['/a.json', 101, 413],
      ] as const) {
        const socket = server.connect()
        socket.write(
          `PUT ${path} HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`,
        )
        expect(await readHead(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
        socket.destroy()
      }
    })

    test('another expectation is 417', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw(`GET / HTTP/1.1\r\n${close}Expect: miracles\r\n\r\n`)
      expect(answer).toMatch(/^HTTP\/1.1 417 /)
    })
  })

  describe('connections', () => {
    test('are kept for further requests, with or without an error between', async () => {
      await using server = await Fixture.open(start)
      const answer = await server.raw(
        [
          `GET /a.b HTTP/1.1\r\n${host}\r\n`,
          `PUT /a.json HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\n{"a`,
          `GET /a.json HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nxyz`,
          `DELETE /a.json HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nxyz`,
          `GET /a.json HTTP/1.1\r\n${close}\r\n`,
        ].join(''),
      )
      expect(statuses(answer)).toEqual([400, 400, 200, 200, 200])
    })

    test('HTTP/1.0 clients are answered and closed', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 'x'.repeat(300_000))
      const answer = await server.raw('GET /a.json HTTP/1.0\r\n\r\n')
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
      expect(answer).not.toContain('Transfer-Encoding')
      expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toHaveLength(300_002)
    })

    test('pipelined requests are answered in order, and see the writes before them', async () => {
      await using server = await Fixture.open(start)
      const requests: string[] = []
      for (let value = 1; value <= 50; value++) {
        const body = JSON.stringify({ value })
        requests.push(
          `PUT /n.json HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n\r\n${body}`,
          `GET /n/value.json HTTP/1.1\r\n${host}\r\n`,
          `PATCH /n.json HTTP/1.1\r\n${host}Content-Length: 11\r\n\r\n{"patch":1}`,
          `GET /n.json?shallow=true HTTP/1.1\r\n${host}\r\n`,
        )
      }
      requests.push(
        `DELETE /n.json HTTP/1.1\r\n${host}\r\n`,
        `GET /n.json HTTP/1.1\r\n${close}\r\n`,
      )
      const bodies = (await server.raw(requests.join(''))).split(
        /HTTP\/1\.1 200 OK\r\n.*?\r\n\r\n/s,
      )
      const expected = Array.from({ length: 50 }, (_, index) => [
        `{"value":${index + 1}}`,
        String(index + 1),
        '{"patch":1}',
        '{"patch":true,"value":true}',
      ])
      expect(bodies).toEqual(['', ...expected.flat(), 'null', 'null'])
    })

    test('thousands of requests pipelined behind a write are answered', async () => {
      await using server = await Fixture.open(start)
      const count = 5000
      const put = `PUT /a.json HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\n7`
      const gets = `GET /a.json HTTP/1.1\r\n${host}\r\n`.repeat(count)
      const answer = await server.raw(`${put}${gets}GET /a.json HTTP/1.1\r\n${close}\r\n`)
      expect(answer.match(/\r\n\r\n7/g)).toHaveLength(count + 2)
    })

    test('large answers pipelined one behind the other come whole', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json', 'x'.repeat(1_000_000))
      const get = `GET /a.json HTTP/1.1\r\n${host}\r\n`
      const socket = server.connect()
      socket.write(`${get}${get}GET /a.json HTTP/1.1\r\n${close}\r\n`)
      const bytes = await buffer(socket)
      expect(bytes.filter((byte) => byte === 0x78)).toHaveLength(3_000_000)
    })

    test('nothing is done behind an answer that says it is the last', async () => {
      await using server = await Fixture.open(start)
      const put = `PUT /%zz.json HTTP/1.1\r\n${host}`
      const refused = [
        `${put}Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n`,
        `${put}Content-Length: 70000\r\n\r\n${'1'.repeat(70_000)}`,
      ]
      const post = `POST /log.json HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\n1`
      for (const request of refused) {
        const answers = await server.raw(`${request}${post.repeat(3)}`)
        expect(answers.match(/^HTTP\/1.1 \d+/gm)).toEqual(['HTTP/1.1 400'])
        expect(answers).toContain('Connection: close')
      }
      expect((await server.get('/log.json')).text).toBe('null')
    })

    test('a client that goes away during a large answer disturbs nobody', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json?print=silent', tooMuchForSockets)
      for (let round = 0; round < 5; round++) {
        const socket = server.connect()
        socket.write(`GET /a.json HTTP/1.1\r\n${host}\r\n`)
        await once(socket, 'data')
        server.reset(socket)
      }
      expect((await server.get('/.health')).status).toBe(200)
    })
  })

  describe('timeout', () => {
    test('breaks off an answer that has begun, when its client takes too long', async () => {
      await using server = await Fixture.open(start, { writeTimeoutMs: 600_000 })
      await server.put('/a.json?print=silent', tooMuchForSockets)
      // One that has not begun by then is refused, as it may be on a busy machine.
      for (let timeoutMs = 50; ; timeoutMs *= 2) {
        const socket = server.connect()
        socket.on('error', () => {})
        socket.write(`GET /a.json?timeout=${timeoutMs}ms HTTP/1.1\r\n${close}\r\n`)
        const begin = await readHead(socket)
        if (begin.startsWith('HTTP/1.1 400 ')) continue
        socket.pause()
        // Nobody reads, so that there is nothing else that could end the connection.
        await server.server.close({ timeoutMs: 600_000 })
        const rest = await text(socket).catch(() => '')
        expect(`${begin}${rest}`).toMatch(/^HTTP\/1.1 200 (?!.*0\r\n\r\n$)/s)
        return
      }
    })

    test('lets an answer be that has left by then', async () => {
      await using server = await Fixture.open(start)
      const value = Array.from({ length: 20 }, () => 'x'.repeat(100_000))
      await server.put('/a.json', value)
      expect(await server.read('/a.json?timeout=15min')).toBe(JSON.stringify(value))
    })
  })

  describe('close()', () => {
    test('closes connections that rest, and takes no further ones', async () => {
      await using server = await Fixture.open(start)
      const resting = server.connect()
      resting.write(`GET /a.json HTTP/1.1\r\n${host}\r\n`)
      await readHead(resting)
      await server.server.close()
      expect(await text(resting)).toBe('')
      const refused = server.connect()
      const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
      expect(error.code).toBe('ECONNREFUSED')
    })

    test('answers a request that was sent before, and has not been looked at', async () => {
      await using server = await Fixture.open(start)
      const sockets = await Promise.all(Array.from({ length: 20 }, async () => server.connected()))
      // So that the server knows of them.
      for (const socket of sockets) socket.write(`GET /a.json HTTP/1.1\r\n${host}\r\n`)
      for (const socket of sockets) await readHead(socket)
      for (const socket of sockets) socket.write(`GET /a.json HTTP/1.1\r\n${host}\r\n`)
      const closed = server.server.close()
      for (const answer of await Promise.all(sockets.map(text))) {
        expect(answer).toMatch(/^HTTP\/1.1 200 .*Connection: close/s)
      }
      await closed
    })

    test('answers a request that was sent before on a connection that waits to be accepted', async () => {
      await using server = await Fixture.open(start)
      const sockets = Array.from({ length: 50 }, () => server.connect())
      const answers = sockets.map(text)
      // The server accepts one of them in a turn of the event loop, while all of these are sent in few.
      await Promise.all(
        sockets.map(
          (socket) =>
            new Promise((resolve) => {
              socket.write(`GET /a.json HTTP/1.1\r\n${host}\r\n`, resolve)
            }),
        ),
      )
      const closed = server.server.close()
      for (const answer of await Promise.all(answers)) {
        expect(answer).toMatch(/^HTTP\/1.1 200 /)
      }
      await closed
    })

    test('lets an answer that is on its way arrive whole, and then closes', async () => {
      await using server = await Fixture.open(start)
      await server.put('/a.json?print=silent', tooMuchForSockets)
      const socket = server.connect()
      socket.write(`GET /a.json HTTP/1.1\r\n${host}\r\n`)
      const [first] = (await once(socket, 'data')) as [Buffer]
      const closed = server.server.close()
      const rest = await buffer(socket)
      await closed
      expect(rest.subarray(-5).toString()).toBe('0\r\n\r\n')
      expect(first.length + rest.length).toBeGreaterThan(20_000_000)
    })

    test('lets a body that is on its way arrive, and answers it', async () => {
      await using server = await Fixture.open(start)
      const socket = server.connect()
      socket.write(
        `PUT /a.json HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
      )
      await readHead(socket)
      const closed = server.server.close()
      socket.write('123')
      const answer = await text(socket)
      await closed
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n.*Connection: close\r\n\r\n123$/s)
    })

    test('breaks off what is not done at the deadline', async () => {
      await using server = await Fixture.open(start)
      const socket = server.connect()
      socket.on('error', () => {})
      socket.write(
        `PUT /a.json HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
      )
      await readHead(socket)
      await server.server.close({ timeoutMs: 1 })
      expect(await text(socket)).toBe('')
    })

    test('may be called again', async () => {
      await using server = await Fixture.open(start)
      await Promise.all([server.server.close(), server.server.close()])
      await expect(server.server.close()).resolves.toBeUndefined()
    })
  })
}

/** A client that has asked for more than sockets hold, and takes nothing of it. */
async function neverReading(server: Fixture): Promise<Socket> {
  // Without the value in the answer, which it might take too slowly as well.
  await server.put('/big.json?print=silent', tooMuchForSockets)
  const client = await server.connected()
  client.pause()
  client.write(`GET /big.json HTTP/1.1\r\n${host}\r\n`)
  return client
}

/** The statuses of answers that came one behind the other. */
function statuses(answers: string): number[] {
  return [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
}

/** What arrives first: small answers come in one piece. */
async function readHead(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

async function* repeated(size: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(50_000, 0x20)
  for (let sent = 0; sent < size; sent += piece.length) {
    yield piece.subarray(0, Math.min(piece.length, size - sent))
  }
}
