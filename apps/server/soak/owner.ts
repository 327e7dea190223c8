import { messageOf, outcomeOf } from './client.ts'
import type { Answer, Client, Sent } from './client.ts'
import type { Findings } from './findings.ts'
import { textOf, urlPath, valueAt, withValue } from './tree-model.ts'
import type { Json, Place } from './tree-model.ts'

/** What a write does to the tree of its owner, if it is carried out. */
export type Change = (tree: Json) => Json

/** A write without its conditions. */
export interface OwnWrite extends Sent {
  readonly change: Change
}

/**
 * A part of the tree that one client alone writes to, and what is known to be in it. Whatever a write
 * is answered, afterwards it is known again whether it was carried out.
 */
export class Owner {
  readonly name: string
  readonly findings: Findings
  client: Client
  tree: Json = null
  #writeNumber = 0

  constructor(name: string, client: Client, findings: Findings) {
    this.name = name
    this.client = client
    this.findings = findings
  }

  path(place: Place = []): string {
    return urlPath(['own', this.name, ...place])
  }

  /** Writes once. What nobody answers is looked for. */
  async write({ change, ...sent }: OwnWrite): Promise<Answer | undefined> {
    const answer = await this.client.try(sent)
    switch (outcomeOf(answer)) {
      case 'applied':
        this.findings.count('writes carried out')
        this.tree = change(this.tree)
        break
      case 'refused':
        this.#noteRefusal(sent, answer)
        break
      case 'unknown':
        await this.resolve([this.tree, change(this.tree)])
        break
    }
    return answer
  }

  /** Writes with an Idempotency-Key, as often as it takes: carried out once. */
  async writeOnce(sent: Sent, change: (tree: Json, answer: Answer) => Json): Promise<void> {
    const key = `${this.name}-${++this.#writeNumber}`
    const keyed = { ...sent, headers: { ...sent.headers, 'Idempotency-Key': key } }
    let tries = 1
    let answer = await this.client.try(keyed)
    for (; answer === undefined || answer.status >= 500; tries++) {
      answer = await this.client.try(keyed)
    }
    if (tries > 1) this.findings.count('writes sent again with their key')
    if (outcomeOf(answer) === 'applied') {
      this.findings.count('writes carried out')
      this.tree = change(this.tree, answer)
    } else {
      this.#writeNumber--
      this.#noteRefusal(sent, answer)
    }
  }

  /** Reads a place and compares it with what is known, byte for byte. */
  async check(place: Place = []): Promise<void> {
    const { text } = await this.client.read(this.path(place))
    this.findings.count('reads compared')
    const expected = textOf(valueAt(this.tree, place))
    if (text !== expected) this.#differs(this.path(place), text, [expected])
  }

  /** Finds out which of several trees it is. */
  async resolve(candidates: readonly Json[]): Promise<void> {
    // Whoever carries this out has done with all that was sent before, or took the place of one that is gone.
    const barrier = { method: 'PUT', path: urlPath(['barrier', this.name]), body: 'true' } as const
    await this.client.writeUntilDone(barrier)
    const { text } = await this.client.read(this.path())
    const found = candidates.findIndex((candidate) => textOf(candidate) === text)
    const tree = candidates[found]
    if (tree === undefined) {
      this.#differs(this.path(), text, candidates.map(textOf))
      this.tree = JSON.parse(text) as Json
      return
    }
    this.findings.count(
      found === 0 ? 'unknown outcomes: not carried out' : 'unknown outcomes: carried out',
    )
    this.tree = tree
  }

  set(place: Place, value: Json): OwnWrite {
    return {
      method: 'PUT',
      path: this.path(place),
      body: JSON.stringify(value),
      change: (tree) => withValue(tree, place, value),
    }
  }

  #noteRefusal({ method, path }: Sent, answer: Answer | undefined): void {
    const { status, text } = answer ?? { status: 0, text: '' }
    // What is asked for is always right, up to conditions.
    if (status === 412) return
    this.findings.count(`answered ${status}: ${messageOf(text)}`)
    if (status < 500) {
      this.findings.fail(`${method} ${path} was answered ${status} ${text.slice(0, 200)}`)
    }
  }

  #differs(path: string, got: string, expected: readonly string[]): void {
    const [first = ''] = expected
    let at = 0
    while (at < first.length && first[at] === got[at]) at++
    const around = (text: string): string => text.slice(Math.max(0, at - 40), at + 80)
    this.findings.fail(
      `${path} has ${got.length} characters where ${expected.map(({ length }) => length).join(' or ')} ` +
        `are known; at ${at}: …${around(got)}… instead of …${around(first)}…`,
    )
  }
}
