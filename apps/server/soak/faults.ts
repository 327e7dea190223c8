import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import type { Client } from './client.ts'
import type { FaultName } from './faulty-store.ts'
import type { Findings } from './findings.ts'
import type { Random } from './random.ts'
import type { SoakServer } from './soak-server.ts'
import type { Traffic } from './traffic.ts'

interface Situation {
  readonly random: Random
  readonly traffic: Traffic
  readonly findings: Findings
}

/** How often something goes wrong, in milliseconds. */
export interface Pauses {
  readonly least: number
  readonly most: number
}

/** Kills the server, or stops it for a while, at moments nobody knows before. */
export async function killNowAndThen(
  server: SoakServer,
  { random, traffic, findings }: Situation,
  { least, most }: Pauses,
): Promise<void> {
  for (let count = 0; ; count++) {
    await traffic.pass(random.integer(least, most))
    if (traffic.isOver) return
    if (count === 0 || random.chance(0.75)) {
      findings.count('kills of the server')
      await server.kill()
    } else {
      findings.count('stops of the server')
      process.kill(server.pid, 'SIGSTOP')
      await setTimeout(random.integer(50, 2000))
      process.kill(server.pid, 'SIGCONT')
    }
  }
}

/** What a fault has to be answered with, unless the connection is lost. */
const answers: Readonly<Record<FaultName, readonly number[]>> = {
  deadly: [200],
  cursed: [500],
  throw: [500],
  uncaught: [200, 503],
  stall: [503],
  inside: [503],
}

/** Those that end the process are rare: a server that crashes too often is given up. */
const common: readonly [FaultName, ...FaultName[]] = [
  'deadly',
  'deadly',
  'cursed',
  'throw',
  'uncaught',
]
const rare: readonly [FaultName, ...FaultName[]] = ['stall', 'inside']

/** Lets threads of the server fail. */
export async function failNowAndThen(
  client: Client,
  { random, traffic, findings }: Situation,
  { least, most }: Pauses,
): Promise<void> {
  let sinceRare = 0
  for (let number = 1; ; number++) {
    await traffic.pass(random.integer(least, most))
    if (traffic.isOver) return
    const isRare = ++sinceRare > 8
    if (isRare) sinceRare = 0
    const fault = random.pick(isRare ? rare : common)
    const isRead = fault === 'deadly' || fault === 'cursed'
    const path = `/faults/${fault}/${number}.json`
    findings.count(`faults: ${fault}`)
    const answer = await client.try(
      isRead ? { method: 'GET', path } : { method: 'PUT', path, body: '1' },
    )
    if (answer !== undefined && !answers[fault].includes(answer.status)) {
      findings.fail(`${fault} was answered ${answer.status} ${answer.text.slice(0, 200)}`)
    }
  }
}
