import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '@elkyn/tooling-certificates'
import { describe, expect, onTestFinished, test } from 'vitest'
import { HttpListener } from '../src/http-listener.ts'
import { resolveLimits } from '../src/limits.ts'
import { silentLog } from '../src/log.ts'
import type { Answer, HttpRequest } from '../src/message.ts'

// Of clients that send one request after the other and do not take the answers.

const tls = selfSigned()
const large = Buffer.alloc(60_000, 'x')

/** Answers at once, as a server in one thread does, or later, as one with threads does; writes always later. */
class Answers {
  count = 0
  readonly #isLate: boolean
  readonly #gate = Promise.withResolvers<void>()

  constructor(isLate: boolean) {
    this.#isLate = isLate
  }

  /** Lets writes be answered. */
  open(): void {
    this.#gate.resolve()
  }

  readonly give = ({ method, url }: HttpRequest): Answer | Promise<Answer> => {
    this.count++
    const body = url === '/large' ? large : Buffer.from('small')
    const answer: Answer = { status: 200, headers: [], body }
    if (url === '/stream') return { status: 200, headers: [], stream: () => {} }
    if (method === 'PUT') return this.#gate.promise.then(() => answer)
    return this.#isLate ? setImmediate(answer) : answer
  }
}

interface Listening {
  readonly answers: Answers
  readonly socket: Socket
}

async function listen(isTls: boolean, isLate: boolean): Promise<Listening> {
  const answers = new Answers(isLate)
  const options = { limits: resolveLimits({}), log: silentLog }
  const listener = new HttpListener(answers.give, isTls ? { ...options, tls } : options)
  onTestFinished(() => listener.close(0))
  await listener.start({ host: '127.0.0.1', port: 0 })
  const { port } = listener.address
  const socket = isTls
    ? connectTls({ port, host: '127.0.0.1', ca: tls.cert })
    : connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await once(socket, isTls ? 'secureConnect' : 'connect')
  return { answers, socket: socket.pause() }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
const put = 'PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1'

/** Takes so many answers. @returns how many more requests were begun, at most, than answers had been taken. */
async function take({ socket, answers }: Listening, count: number): Promise<number> {
  let taken = 0
  let ahead = 0
  socket.on('data', (bytes: Buffer) => {
    ahead = Math.max(ahead, answers.count - taken)
    // There is one in each head, and none in a body.
    for (let at = bytes.indexOf('H'); at !== -1; at = bytes.indexOf('H', at + 1)) taken++
  })
  const hasAll = (): boolean => taken >= count
  socket.resume()
  while (!hasAll()) await once(socket, 'data')
  return ahead
}

describe.each([
  ['HTTP/1.1', false],
  ['HTTP/1.1 with TLS', true],
])('requests that were sent one behind the other over %s', (_, isTls) => {
  test.each([
    ['at once', false],
    ['later', true],
  ])('are begun as their answers are taken, given %s', async (__, isLate) => {
    const listening = await listen(isTls, isLate)
    listening.socket.write(get('/large').repeat(2000))
    // The system holds some of them too.
    expect(await take(listening, 2000)).toBeLessThan(500)
  })

  test('are answered all, however many wait for a write and for their client', async () => {
    const listening = await listen(isTls, false)
    const { socket, answers } = listening
    socket.write(get('/large').repeat(100) + put + get('/small').repeat(100))
    socket.write(get('/small').repeat(3000))
    // The system holds no more of them.
    for (let seen = -1; seen < answers.count; await setImmediate()) seen = answers.count
    answers.open()
    await take(listening, 3201)
  })
})

test('requests that wait in the socket behind a write are answered', async () => {
  const listening = await listen(false, false)
  const { socket, answers } = listening
  socket.write(get('/small'))
  await take(listening, 1)
  socket.write(put)
  while (answers.count < 2) await setImmediate()
  socket.write(get('/large').repeat(10) + get('/small').repeat(10_000))
  for (let turn = 0; turn < 8; turn++) await setImmediate()
  answers.open()
  await take(listening, 10_011)
})
