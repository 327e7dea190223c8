import { Client } from './client.ts'
import { failNowAndThen, killNowAndThen } from './faults.ts'
import type { Pauses } from './faults.ts'
import { Findings } from './findings.ts'
import { digestOf, downloadSlowly, Leaver } from './impolite-clients.ts'
import type { Bulk } from './impolite-clients.ts'
import { work } from './operations.ts'
import { Owner } from './owner.ts'
import { Random } from './random.ts'
import { largeValue } from './random-values.ts'
import { descriptorKinds, fileBytes, openDescriptors, residentBytes } from './samples.ts'
import type { Sample } from './samples.ts'
import { SoakServer } from './soak-server.ts'
import type { Absence, ServerKind } from './soak-server.ts'
import { Traffic } from './traffic.ts'
import { textOf, valueAt } from './tree-model.ts'
import type { Json } from './tree-model.ts'

/** One part of a soak: which server, for how long, and how often something goes wrong. */
interface Part {
  readonly name: string
  readonly server: ServerKind
  readonly ms: number
  readonly kills?: Pauses
  readonly faults?: Pauses
}

export interface SoakOptions {
  /** An empty folder for the data. */
  readonly folder: string
  readonly seed: number
  readonly parts: readonly Part[]
  /** Given, times are counted in operations: see {@link Traffic}. */
  readonly operationsPerSecond?: number
  readonly owners: number
  readonly slowClients: number
  readonly leavers: number
  /** Size of the value that slow clients download. */
  readonly bulkBytes: number
  /** Whether the change log is filled first, whose growth to its limit would hide any other. */
  readonly fillLog: boolean
  readonly sampleMs: number
  readonly onSample?: (sample: Sample) => void
}

interface PartResult {
  readonly name: string
  readonly ms: number
  readonly operations: number
  readonly starts: number
  readonly absences: readonly Absence[]
}

export interface SoakResult {
  readonly findings: Findings
  readonly parts: readonly PartResult[]
  readonly samples: readonly Sample[]
}

/** Lets clients of all kinds loose on servers that fail, and looks whether anything was lost. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  return new Soak(options).run()
}

class Soak {
  readonly #options: SoakOptions
  readonly #random: Random
  readonly #findings = new Findings()
  readonly #samples: Sample[] = []
  readonly #beganAt = performance.now()
  readonly #owners: readonly Owner[]
  readonly #leavers: readonly Leaver[]
  #bulk: Bulk | undefined
  #operations = 0

  constructor(options: SoakOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    const nowhere = new Client('http://127.0.0.1:1', this.#findings)
    const names = (count: number, prefix: string): string[] =>
      Array.from({ length: count }, (_, index) => prefix + index)
    this.#owners = names(options.owners, 'o').map(
      (name) => new Owner(name, nowhere, this.#findings),
    )
    this.#leavers = names(options.leavers, 'l').map((name) => new Leaver(name))
  }

  async run(): Promise<SoakResult> {
    const parts: PartResult[] = []
    for (const part of this.#options.parts) parts.push(await this.#run(part))
    // And once more from what is on the disk.
    parts.push(await this.#run({ name: 'read again', server: 'elkyn', ms: 0 }))
    return { findings: this.#findings, parts, samples: this.#samples }
  }

  async #run(part: Part): Promise<PartResult> {
    const { folder } = this.#options
    const beganAt = performance.now()
    using server = await SoakServer.start(part.server, folder, this.#findings)
    const client = new Client(server.url, this.#findings)
    this.#bulk ??= await this.#prepare(client)
    await client.close()
    const idle = await untilReady(server)
    const traffic = new Traffic(this.#options.operationsPerSecond)
    const sampling = setInterval(() => this.#sample(part, server, traffic), this.#options.sampleMs)
    try {
      await this.#traffic(part, server, traffic)
      this.#sample(part, server, traffic)
    } finally {
      clearInterval(sampling)
    }
    await this.#checkLeaks(part, server, idle)
    this.#operations += traffic.operations
    const code = await server.stop()
    if (code !== 0) this.#findings.fail(`The server of part ${part.name} ended with ${code}`)
    return {
      name: part.name,
      ms: performance.now() - beganAt,
      operations: traffic.operations,
      starts: server.starts,
      absences: server.absences,
    }
  }

  async #traffic(part: Part, server: SoakServer, traffic: Traffic): Promise<void> {
    const { url } = server
    const findings = this.#findings
    const client = new Client(url, findings)
    const bulk = this.#bulk as Bulk
    const situation = (): Parameters<Leaver['leave']>[0] => ({
      url,
      random: this.#random.fork(),
      traffic,
      findings,
    })
    const running: Promise<void>[] = []
    if (part.ms === 0) {
      traffic.end()
    } else {
      for (let count = 0; count < this.#options.slowClients; count++) {
        running.push(downloadSlowly(situation(), bulk))
      }
      running.push(...this.#leavers.map((leaver) => leaver.leave(situation(), bulk)))
      if (part.kills) running.push(killNowAndThen(server, situation(), part.kills))
      if (part.faults) running.push(failNowAndThen(client, situation(), part.faults))
    }
    const clients = this.#owners.map((owner) => {
      owner.client = new Client(url, findings)
      return work(owner, this.#random.fork(), traffic)
    })
    await Promise.race([traffic.pass(part.ms), ...running, ...clients])
    traffic.end()
    await Promise.all([...clients, ...running])
    await this.#checkTree(client)
    await Promise.all([client, ...this.#owners.map((owner) => owner.client)].map((c) => c.close()))
  }

  /** Compares everything that is there with what has to be there. */
  async #checkTree(client: Client): Promise<void> {
    const known = Object.fromEntries(this.#owners.map(({ name, tree }) => [name, tree]))
    const own = textOf(
      Object.fromEntries(Object.entries(known).filter(([, tree]) => tree !== null)),
    )
    const got = await client.read('/own.json')
    if (got.text !== (own === '{}' ? 'null' : own)) {
      this.#findings.fail('The tree is not that of the models')
    }
    const left = JSON.parse((await client.read('/left.json')).text) as Json
    for (const leaver of this.#leavers) leaver.check(valueAt(left, [leaver.name]), this.#findings)
    const { path, digest } = this.#bulk as Bulk
    if (digestOf((await client.read(path)).text) !== digest) {
      this.#findings.fail('The value that nobody has changed has changed')
    }
    this.#findings.count('whole trees compared')
  }

  /** What was opened for the traffic has to be closed when it is over. */
  async #checkLeaks(
    { name }: Part,
    server: SoakServer,
    idle: readonly string[] | undefined,
  ): Promise<void> {
    let leaks: readonly string[] = []
    // A thread that starts has files open, the executable of Node among them.
    await untilStarted(server)
    // The server hears a little later that its clients have gone.
    for (let tries = 0; tries < maxTries; tries++) {
      leaks = leaksIn(await readMetrics(server), idle, openDescriptors(server.pid))
      if (leaks.length === 0) return
    }
    for (const leak of leaks) this.#findings.fail(`Left behind by part ${name}: ${leak}`)
  }

  #sample({ name }: Part, server: SoakServer, { operations }: Traffic): void {
    const sample: Sample = {
      part: name,
      ms: performance.now() - this.#beganAt,
      operations: this.#operations + operations,
      fileBytes: fileBytes(this.#options.folder),
      residentBytes: residentBytes(server.pid),
      descriptors: openDescriptors(server.pid)?.length,
    }
    this.#samples.push(sample)
    this.#options.onSample?.(sample)
  }

  async #prepare(client: Client): Promise<Bulk> {
    const { bulkBytes, fillLog } = this.#options
    const path = '/bulk.json'
    const body = textOf(largeValue(this.#random.fork(), bulkBytes))
    await client.writeUntilDone({ method: 'PUT', path: `${path}?print=silent`, body })
    if (fillLog) await fillChangeLog(client)
    await client.writeUntilDone({ method: 'DELETE', path: '/filling.json' })
    return { path, bytes: body.length, digest: digestOf(body) }
  }
}

/** Writes 256 MiB, the limit of the log, in values that it holds with their text. */
async function fillChangeLog(client: Client): Promise<void> {
  const lane = async (_: unknown, number: number): Promise<void> => {
    for (let count = 0; count < 300; count++) {
      // Another one each time: what changes nothing is not logged.
      const body = JSON.stringify(`${number} ${count}`.padEnd(60_000))
      await client.writeUntilDone({ method: 'PUT', path: '/filling.json?print=silent', body })
    }
  }
  await Promise.all(Array.from({ length: 16 }, lane))
}

const maxTries = 1000

/** What is there at the end that was not there at the beginning. */
function leaksIn(
  metrics: ReadonlyMap<string, number>,
  before: readonly string[] | undefined,
  now: readonly string[] | undefined,
): readonly string[] {
  const leaks = idleMetrics.flatMap(([name, idle]) => {
    const value = metrics.get(name)
    return value === idle ? [] : [`${name} is ${value}, not ${idle}`]
  })
  if (before === undefined || now === undefined) return leaks
  const kinds = descriptorKinds(before)
  for (const [kind, count] of descriptorKinds(now)) {
    const most = kinds.get(kind) ?? 0
    if (count > most) leaks.push(`${count} descriptors ${kind}, not ${most}`)
  }
  return leaks
}

// The request that asks for them is one.
const idleMetrics = [
  ['elkyn_http_connections', 1],
  ['elkyn_http_requests_in_flight', 1],
  ['elkyn_store_snapshots', 0],
  ['elkyn_pool_queue_depth{pool="elkyn-reader"}', 0],
  ['elkyn_pool_queue_depth{pool="elkyn-writer"}', 0],
] as const

/** What a server shows of itself, by name and labels. */
async function readMetrics({ url }: SoakServer): Promise<ReadonlyMap<string, number>> {
  // Not by a client that keeps connections: they would be among what is counted.
  const answer = await fetch(`${url}/.metrics`, { headers: { connection: 'close' } })
  const lines = (await answer.text()).split('\n')
  return new Map(
    lines.map((line) => line.split(' ') as [string, string]).map(([k, v]) => [k, Number(v)]),
  )
}

/** Resolves, with what is open, when all threads are there and nobody else is connected. */
async function untilReady(server: SoakServer): Promise<readonly string[] | undefined> {
  for (;;) {
    const metrics = await untilStarted(server)
    if (metrics.get('elkyn_http_connections') === 1) return openDescriptors(server.pid)
  }
}

/** Resolves, with what the server shows then, when all threads are there. */
async function untilStarted(server: SoakServer): Promise<ReadonlyMap<string, number>> {
  for (;;) {
    const metrics = await readMetrics(server)
    const starting = ['reader', 'writer'].map((pool) =>
      metrics.get(`elkyn_pool_threads{pool="elkyn-${pool}",state="starting"}`),
    )
    if (starting.every((count) => count === 0)) return metrics
  }
}
