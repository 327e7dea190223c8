import dns from 'node:dns'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { UrlTransport } from './url-transport.ts'

type GiveAddresses = (error: null, addresses: readonly LookupAddress[]) => void

test('UrlTransport says that a server broke off in the middle of its answer', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const connected = once(server, 'connection') as Promise<[Socket]>
    const answered = new UrlTransport(url).send({ method: 'GET', pathname: '/a.json', query: {} })
    const [socket] = await connected
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":')
    const { body } = await answered
    const read = text(body)
    socket.resetAndDestroy()
    await expect(read).rejects.toMatchObject({
      name: 'CommandError',
      message: `${url} broke off in the middle of its answer`,
      status: 200,
    })
  } finally {
    server.close()
  }
})

test('UrlTransport says why none of several addresses of a host could be reached', async () => {
  const refused = createServer().listen(0, '127.0.0.1')
  await once(refused, 'listening')
  const { port } = refused.address() as AddressInfo
  refused.close()
  const lookup = vi.spyOn(dns, 'lookup')
  lookup.mockImplementation(((_name: string, _options: object, done: GiveAddresses) => {
    done(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ])
  }) as typeof dns.lookup)
  try {
    const url = `http://name.example:${port}`
    const asked = new UrlTransport(url).send({ method: 'GET', pathname: '/a.json', query: {} })
    await expect(asked).rejects.toMatchObject({
      message: `Cannot reach ${url}: ECONNREFUSED`,
      hint: expect.stringContaining('elkyn serve') as string,
    })
  } finally {
    lookup.mockRestore()
  }
})

test.each([
  ['localhost:8080', 'it has to begin with http:// or https://'],
  ['ftp://localhost', 'it has to begin with http:// or https://'],
  ['http://', 'it names no host, or no port from 0 to 65535'],
  ['https://localhost:99999/', 'it names no host, or no port from 0 to 65535'],
])('UrlTransport refuses %s', (url, reason) => {
  expect(() => new UrlTransport(url)).toThrow(`Invalid URL "${url}": ${reason}`)
})

test('UrlTransport shows no password and no token', () => {
  const { label } = new UrlTransport('https://ada:secret@example.org/?ns=a&auth=secret')
  expect(label).toBe('https://ada@example.org/?ns=a&auth=...')
  expect(new UrlTransport('http://localhost:8080/').label).toBe('http://localhost:8080')
})
