import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { selfSigned } from './self-signed.ts'

test('selfSigned() makes a key and a certificate that a client trusts when it is told to', async () => {
  const { key, cert } = selfSigned()
  const server = createServer({ key, cert }, (socket) => socket.end()).listen(0)
  await once(server, 'listening')
  for (const host of ['localhost', '127.0.0.1']) {
    const { port } = server.address() as AddressInfo
    const socket = connect({ host, port, ca: cert, servername: 'localhost' })
    await once(socket, 'secureConnect')
    expect(socket.authorized).toBe(true)
    socket.destroy()
  }
  server.close()
})

test('selfSigned() makes another one each time', () => {
  const [first, second] = [selfSigned(), selfSigned()]
  expect(first.cert).not.toBe(second.cert)
  expect(first.key).not.toBe(second.key)
})
