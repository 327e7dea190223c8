import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RunningServer } from './elkyn.ts'
import { temporaryFolder } from './temporary-folder.ts'

const rounds = 50
const writers = 8
/** The process that is killed is to be the one that writes. */
const alone = ['--no-supervise']

/** What each writer knows to be stored, and what else may be. */
class Ledger {
  /** For each writer the number of its last write that was answered; 0 for none. */
  readonly answered: number[] = Array(writers).fill(0)
  /** The last one that was sent. */
  readonly sent: number[] = Array(writers).fill(0)
  #answersLeft = 0
  #enough: (() => void) | undefined

  /** Resolves after so many answers to come. */
  async answers(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#answersLeft = count
    this.#enough = resolve
    await promise
  }

  noteAnswer(writer: number, number: number): void {
    this.answered[writer] = number
    if (--this.#answersLeft === 0) this.#enough?.()
  }
}

/** Writes one number after the other, each in one update of several places, until the server is gone. */
async function write(server: RunningServer, writer: number, ledger: Ledger): Promise<void> {
  for (;;) {
    const number = (ledger.sent[writer] ?? 0) + 1
    ledger.sent[writer] = number
    const update = {
      [`a/${writer}`]: number,
      [`log/${writer}/${number}`]: number,
      [`z/${writer}/deep/er`]: valueOf(writer, number),
    }
    try {
      const answer = await fetch(`${server.url}/.json?print=silent`, {
        method: 'PATCH',
        body: JSON.stringify(update),
      })
      if (answer.status !== 204) throw new Error(await answer.text())
    } catch (error) {
      if (server.child.killed) return
      throw error
    }
    ledger.noteAnswer(writer, number)
  }
}

/** What a write stores beside its number. That of writer 0 is large, and takes another way into the store. */
function valueOf(writer: number, number: number): Record<string, string> {
  const text = `${number}`.padStart(100)
  const names = countTo(number === 0 ? 0 : writer === 0 ? 1000 : 3)
  return Object.fromEntries(names.map((name) => [`n${name}`, text]))
}

interface Content {
  readonly a: Readonly<Record<string, number>>
  readonly log: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly z: Readonly<Record<string, { readonly deep: { readonly er: object } }>>
}

async function check(server: RunningServer, ledger: Ledger): Promise<void> {
  const content = (await (
    await fetch(`${server.url}/.json?format=export`)
  ).json()) as Content | null
  for (let writer = 0; writer < writers; writer++) {
    const number = content?.a[writer] ?? 0
    // Every answered write is there; of what was not answered, the last one may be.
    expect([ledger.answered[writer], ledger.sent[writer]]).toContain(number)
    // And each write as a whole.
    expect(Object.values(content?.log[writer] ?? {})).toEqual(countTo(number))
    expect(content?.z[writer]?.deep.er ?? {}).toEqual(valueOf(writer, number))
    ledger.answered[writer] = number
    ledger.sent[writer] = number
  }
}

function countTo(number: number): number[] {
  return Array.from({ length: number }, (_, index) => index + 1)
}

test(`a server that is killed ${rounds} times loses no answered write and halves none`, async () => {
  const answersPerRound = fc.array(fc.integer({ min: 1, max: 60 }), {
    minLength: rounds,
    maxLength: rounds,
  })
  await fc.assert(
    fc.asyncProperty(answersPerRound, async (counts) => {
      await using folder = await temporaryFolder()
      const ledger = new Ledger()
      for (const count of counts) {
        await using server = await RunningServer.start(folder.path, alone)
        await check(server, ledger)
        const enough = ledger.answers(count)
        const writing = countTo(writers).map((writer) => write(server, writer - 1, ledger))
        await Promise.race([enough, ...writing])
        await server.stop('SIGKILL')
        await Promise.all(writing)
      }
      await using server = await RunningServer.start(folder.path, alone)
      await check(server, ledger)
    }),
    // One run is many rounds; to shrink it would take many times as long.
    { numRuns: 1, endOnFailure: true },
  )
})
