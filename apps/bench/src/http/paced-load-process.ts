// A client that sends requests at a steady pace and tells how long their answers took.
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { tellParent } from '../child.ts'
import { HttpConnection, requestBytes } from './http-connection.ts'
import type { PacedRequest, PacedResult } from './paced-load.ts'

const state = { isRunning: false }
let run: Promise<PacedResult> | undefined

process.on('message', (message: PacedRequest | 'stop') => {
  if (message === 'stop') {
    state.isRunning = false
    void run?.then(tellParent)
    return
  }
  state.isRunning = true
  run = send(message)
  tellParent({})
})
tellParent({})

async function send({
  port,
  requests,
  connections,
  perSecond,
}: PacedRequest): Promise<PacedResult> {
  const all = requests.map((request) => requestBytes(port, request))
  const idle = Array.from({ length: connections }, () => new HttpConnection(port))
  const waiting: number[] = []
  const times: number[] = []
  let sent = 0
  const sendNext = async (connection: HttpConnection): Promise<void> => {
    for (let due = waiting.shift(); due !== undefined; due = waiting.shift()) {
      await connection.send(all[sent++ % all.length]!)
      times.push(performance.now() - due)
    }
    idle.push(connection)
  }
  const start = performance.now()
  for (let made = 0; state.isRunning;) {
    const now = performance.now()
    // One that waits for a connection has begun to wait: slow answers must not thin out the requests.
    for (; made < ((now - start) / 1000) * perSecond; made++) waiting.push(now)
    while (waiting.length > 0 && idle.length > 0) void sendNext(idle.pop()!)
    await setTimeout(1)
  }
  while (idle.length < connections) await setTimeout(1)
  for (const connection of idle) connection.close()
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? Number.NaN
  return { answers: times.length, p50Ms: at(0.5), p99Ms: at(0.99), greatestMs: at(1) }
}
