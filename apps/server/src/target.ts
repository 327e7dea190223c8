import { text } from 'node:stream/consumers'
import { pathDepth, pathKeys } from '@elkyn/tree'
import type { JsonForm, Path } from '@elkyn/tree'
import { CommandError } from './command-error.ts'
import { isJson } from './is-json.ts'
import type { JsonBody, RestRequest, RestResponse, Transport } from './transport.ts'
import { wholeJson } from './whole-json.ts'

export interface ReadOptions {
  /** `export` shows priorities, and objects instead of arrays. Default: `plain`. */
  readonly form?: JsonForm
  /** Only the names of the children, each with `true`. Default: false. */
  readonly shallow?: boolean
  /** Indented. Default: false. */
  readonly pretty?: boolean
}

/**
 * The tree that a command works on, behind a server or in a data folder. Its methods throw a
 * `CommandError` with the server's words when the work is refused.
 */
export class Target implements AsyncDisposable {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** How messages name it. */
  get label(): string {
    return this.#transport.label
  }

  /** Whether one write may have any size. Otherwise an import has to make several. */
  get takesAnySize(): boolean {
    return this.#transport.takesAnySize
  }

  /** Number of keys of `path` that count for the limit on depth. */
  depthOf(path: Path): number {
    return pathDepth(path) - (this.#transport.hasAllDatabases ? 1 : 0)
  }

  /** The value at `path` as JSON text; `null` where nothing is. What is not all of it fails at its end. */
  async read(path: Path, options: ReadOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const query: Record<string, string> = {}
    if (options.shallow === true) query['shallow'] = 'true'
    if (options.pretty === true) query['print'] = 'pretty'
    if (options.form === 'export') query['format'] = 'export'
    const { body, status } = await this.#request('GET', path, query)
    return wholeJson(body, (beganAsJson) => {
      const what = beganAsJson ? 'was cut off' : 'is no JSON'
      const hint = beganAsJson
        ? 'The server, or a proxy before it, broke off: try again.'
        : undefined
      return new CommandError('failed', `The answer of ${this.label} ${what}`, { hint, status })
    })
  }

  /** Replaces what is at `path`. */
  async set(path: Path, body: JsonBody): Promise<void> {
    await this.#write('PUT', path, silent, body)
  }

  /** Replaces the named children of `path`, all or none. A name may be a path. */
  async update(path: Path, body: JsonBody): Promise<void> {
    await this.#write('PATCH', path, silent, body)
  }

  /** Adds a child under a new key, and returns the key. */
  async push(path: Path, body: JsonBody): Promise<string> {
    const response = await this.#request('POST', path, {}, body)
    const name = memberOf(await text(response.body), 'name')
    if (name !== undefined) return name
    throw new CommandError('failed', `${this.label} did not answer with the name of the new child`)
  }

  /** Deletes what is at `path`, if anything is. */
  async delete(path: Path): Promise<void> {
    await this.#write('DELETE', path, {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]()
  }

  async #write(
    method: 'PUT' | 'PATCH' | 'DELETE',
    path: Path,
    query: RestRequest['query'],
    body?: JsonBody,
  ): Promise<void> {
    const response = await this.#request(method, path, query, body)
    const answer = await text(response.body)
    if (answer === '' || isJson(answer)) return
    throw new CommandError(
      'failed',
      `The answer of ${this.label} to ${method} ${path} is no JSON`,
      {
        status: response.status,
        hint: 'It may come from a proxy, and then nothing says whether the write was done: read what is there.',
      },
    )
  }

  async #request(
    method: RestRequest['method'],
    path: Path,
    query: RestRequest['query'],
    body?: JsonBody,
  ): Promise<RestResponse> {
    const pathname = `/${pathKeys(path).map(encodeURIComponent).join('/')}.json`
    const request = { method, pathname, query, ...(body !== undefined && { body }) }
    const response = await this.#transport.send(request)
    if (response.status < 300) return response
    const words = memberOf(await text(response.body), 'error') ?? `status ${response.status}`
    const { status, failure } = response
    throw new CommandError('failed', `${this.label} refused ${method} ${path}: ${words}`, {
      cause: failure,
      status,
      ...(failure !== undefined && { hint: `The reason: ${reasonOf(failure)}` }),
      ...(status === 400 && path.includes('\\') && { hint: backslashHint }),
    })
  }
}

// Else the whole value would come back.
const silent = { print: 'silent' }

const backslashHint =
  'A server takes no URL of a key that holds a backslash: ask for its parent, or stop the server and use --data.'

/** What was thrown, and what caused that. */
function reasonOf(thrown: unknown): string {
  const own = String(thrown)
  return thrown instanceof Error && thrown.cause !== undefined
    ? `${own}: ${reasonOf(thrown.cause)}`
    : own
}

/** A string in a JSON object; `undefined` when the text is something else, such as a proxy's page. */
function memberOf(json: string, name: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(json)
    if (typeof answer !== 'object' || answer === null) return undefined
    const member: unknown = Reflect.get(answer, name)
    return typeof member === 'string' ? member : undefined
  } catch {
    return undefined
  }
}
