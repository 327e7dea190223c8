import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { OwnWindows } from './own-windows.ts'

/** A connection and an answer of it of which nothing leaves. */
class Connection {
  readonly handle = { writeQueueSize: 0 }
  readonly socket = { bytesWritten: 0, _handle: this.handle }
  readonly session = { state: { remoteWindowSize: 1000 } }
  readonly answer = { pendingBytes: 10, leftBytes: 5 }
  readonly windows = new OwnWindows(
    this.session as unknown as ServerHttp2Session,
    this.socket as unknown as Socket,
  )
  closed = 0

  ask(): Promise<void> {
    this.windows.ask(this.answer, () => this.closed++)
    return setImmediate()
  }

  /** What was sent has left, and Node sends more, so that the window of the connection is then so large. */
  async turn(window: number): Promise<void> {
    this.windows.look()
    this.socket.bytesWritten += 100
    this.handle.writeQueueSize = 122
    this.session.state.remoteWindowSize = window
    await setImmediate()
  }

  /** What was sent has left, and nothing follows. */
  async rest(): Promise<void> {
    this.windows.look()
    this.handle.writeQueueSize = 0
    await setImmediate()
  }
}

test('OwnWindows finds one closed where nothing else is sent though it could be', async () => {
  const connection = new Connection()
  await connection.ask()
  expect(connection.closed).toBe(1)
})

test('OwnWindows knows nothing while the window of the connection is closed', async () => {
  const connection = new Connection()
  connection.session.state.remoteWindowSize = 0
  await connection.ask()
  for (let count = 0; count < 3; count++) await connection.turn(0)
  await connection.rest()
  expect(connection.closed).toBe(0)
})

test('OwnWindows finds one closed when all has left that could be sent, whatever follows', async () => {
  const connection = new Connection()
  await connection.turn(1000)
  // May have been opened since.
  await connection.ask()
  await connection.turn(1000)
  expect(connection.closed).toBe(0)
  await connection.turn(0)
  expect(connection.closed).toBe(1)
  await connection.turn(1000)
  expect(connection.closed).toBe(1)
})

test('OwnWindows finds one closed when all has left that could be sent, and nothing follows', async () => {
  const connection = new Connection()
  await connection.turn(0)
  await connection.ask()
  await connection.turn(1000)
  connection.session.state.remoteWindowSize = 0
  await connection.rest()
  expect(connection.closed).toBe(1)
})

test('OwnWindows asks no more of an answer of which something leaves', async () => {
  for (const progress of [{ leftBytes: 6 }, { pendingBytes: 0 }]) {
    const connection = new Connection()
    await connection.turn(1000)
    await connection.ask()
    await connection.turn(1000)
    Object.assign(connection.answer, progress)
    await connection.turn(1000)
    Object.assign(connection.answer, { leftBytes: 5, pendingBytes: 10 })
    await connection.turn(1000)
    await connection.rest()
    expect(connection.closed).toBe(0)
  }
})

test('OwnWindows forgets an answer', async () => {
  const connection = new Connection()
  const asked = connection.ask()
  connection.windows.forget(connection.answer)
  await asked
  expect(connection.closed).toBe(0)
})
