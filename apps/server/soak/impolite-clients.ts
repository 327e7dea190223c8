import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Findings } from './findings.ts'
import { largeValue } from './random-values.ts'
import type { Random } from './random.ts'
import { RawConnection } from './raw-connection.ts'
import type { Traffic } from './traffic.ts'
import { valueAt } from './tree-model.ts'
import type { Json } from './tree-model.ts'

/** A value that never changes, larger than what the buffers of a connection take. */
export interface Bulk {
  readonly path: string
  readonly bytes: number
  readonly digest: string
}

export function digestOf(bytes: Uint8Array | string): string {
  return createHash('sha1').update(bytes).digest('hex')
}

interface Situation {
  readonly url: string
  readonly random: Random
  readonly traffic: Traffic
  readonly findings: Findings
}

/** Does it again and again; a connection that is lost is no fault of anybody. */
async function repeat(
  { url, traffic, findings }: Situation,
  act: (connection: RawConnection) => Promise<void>,
): Promise<void> {
  while (!traffic.isOver) {
    const connection = await RawConnection.open(url).catch(() => undefined)
    if (connection === undefined) {
      await setTimeout(20)
      continue
    }
    using open = connection
    try {
      await act(open)
    } catch {
      findings.count('connections lost')
    }
  }
}

/** Takes large answers, and stops taking them for seconds. What it gets in the end is whole. */
export async function downloadSlowly(situation: Situation, bulk: Bulk): Promise<void> {
  const { random, traffic, findings } = situation
  await repeat(situation, async (connection) => {
    const isBulk = random.chance(0.6)
    connection.send('GET', isBulk ? bulk.path : '/own.json')
    let pauseAt = random.integer(1, bulk.bytes / 8)
    let taken = 0
    const { status, body } = await connection.receive(async (piece) => {
      taken += piece.length
      if (taken < pauseAt) return
      pauseAt = taken + random.integer(1_000_000, bulk.bytes)
      findings.count('pauses of slow clients')
      // Some stay longer than the server waits for them.
      await traffic.pass(
        random.chance(0.3) ? random.integer(5500, 9000) : random.integer(100, 2000),
      )
    })
    if (status !== 200) findings.count(`downloads answered ${status}`)
    else if (isBulk) checkBulk(body, bulk, findings)
    else checkMarks(body, findings)
  })
}

function checkBulk(body: Buffer, { digest, path }: Bulk, findings: Findings): void {
  findings.count('slow downloads compared')
  if (digestOf(body) !== digest) findings.fail(`A slow download of ${path} is not what is there`)
}

/** In one moment of the tree every update of several places is there as a whole. */
function checkMarks(body: Buffer, findings: Findings): void {
  findings.count('slow downloads compared')
  const owners = Object.entries((JSON.parse(body.toString()) as Record<string, Json> | null) ?? {})
  for (const [name, tree] of owners) {
    const marks = [['amark'], ['zmark', 'deep', 'er']].map((place) => Number(valueAt(tree, place)))
    if (marks[0] !== marks[1]) findings.fail(`Halves of an update of ${name}: ${marks.join()}`)
  }
}

/** What a client that does not wait for answers has sent. */
export class Leaver {
  readonly name: string
  readonly #sent = new Set<string>(['null'])

  constructor(name: string) {
    this.name = name
  }

  /** Leaves in the middle of a body, of an answer, or before the answer. */
  async leave(situation: Situation, bulk: Bulk): Promise<void> {
    const { random, traffic, findings } = situation
    await repeat(situation, async (connection) => {
      findings.count('clients that left')
      switch (random.integer(0, 3)) {
        case 0: {
          const body = JSON.stringify(largeValue(random, random.integer(1000, 3_000_000)))
          const sent = random.integer(0, body.length - 1)
          connection.send('PUT', `/left/${this.name}/never.json`, body, sent)
          await connection.flushed()
          break
        }
        case 1: {
          connection.send('GET', bulk.path)
          let left = random.integer(0, bulk.bytes / 2)
          await connection.receive((piece) => {
            left -= piece.length
            if (left < 0) throw new Error('Enough')
          })
          break
        }
        default: {
          const value = JSON.stringify(`${this.#sent.size}`.padStart(random.integer(1, 200_000)))
          this.#sent.add(digestOf(value))
          connection.send('PUT', `/left/${this.name}/maybe.json`, value)
          await connection.flushed()
        }
      }
      await traffic.pass(random.integer(10, 300))
    })
  }

  /** What was sent as a whole may be there; what was not, never. */
  check(value: Json, findings: Findings): void {
    const never = valueAt(value, ['never'])
    if (never !== null)
      findings.fail(`/left/${this.name} has a value that was never sent as a whole`)
    const maybe = JSON.stringify(valueAt(value, ['maybe']))
    if (maybe !== 'null' && !this.#sent.has(digestOf(maybe))) {
      findings.fail(`/left/${this.name} has a value that was never sent`)
    }
  }
}
